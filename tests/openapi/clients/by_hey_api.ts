// A client made with @hey-api/openapi-ts, which is given the token as its manual says; prints what it was answered.
import { client } from './hey/client.gen';
import { getUser, listUsers, signIn, updateUser } from './hey/sdk.gen';
import type { Invalid } from './hey/types.gen';

async function main([baseUrl, username, password]: string[]) {
    let token: string | undefined;
    client.setConfig({ baseUrl, auth: () => token });
    const grant = await signIn({ body: { grant_type: 'password', username, password } });
    token = grant.data?.access_token;
    const id = 87654321;
    const got = await getUser({ path: { id } });
    if (!got.data)
        throw new Error(`no user ${id}: ${got.response?.status}`);
    const updated = await updateUser({ body: { ...got.data, FullName: 'Another Name' } });
    const refused = await updateUser({ body: { ...got.data, Email: 'no address' } });
    const error = refused.error as Invalid | undefined;
    const { data: page } = await listUsers({ query: { id: [id, 100000001], dir: 1, size: 10 } });
    console.log(JSON.stringify({
        email: got.data.Email,
        message: updated.data?.Message,
        refused: refused.response?.status,
        properties: error?.Errors.map((one) => one.PropertyName),
        listed: page && !Array.isArray(page) ? page.Records.map((one) => one.Id) : page,
    }));
}

main(process.argv.slice(2));
