// A client made with openapi-typescript and openapi-fetch; prints what it was answered.
import createClient from 'openapi-fetch';
import type { paths } from './schema';

async function main([baseUrl, username, password]: string[]) {
    const client = createClient<paths>({ baseUrl });
    const grant = await client.POST('/api/token', {
        body: { grant_type: 'password', username, password },
        bodySerializer: (form) => new URLSearchParams(Object.entries(form)),
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    });
    const headers = { Authorization: `Bearer ${grant.data?.access_token}` };
    const id = 87654321;
    const got = await client.GET('/api/sys/users/{id}', { params: { path: { id } }, headers });
    if (!got.data)
        throw new Error(`no user ${id}: ${got.response.status}`);
    const updated = await client.PUT('/api/sys/users', { body: { ...got.data, FullName: 'Another Name' }, headers });
    const refused = await client.PUT('/api/sys/users', { body: { ...got.data, Email: 'no address' }, headers });
    const { error } = refused;
    const listed = await client.GET('/api/sys/users', { params: { query: { id: [id, 100000001], dir: 1, size: 10 } }, headers });
    const page = listed.data;
    console.log(JSON.stringify({
        email: got.data.Email,
        message: updated.data?.Message,
        refused: refused.response.status,
        properties: typeof error === 'object' && 'Errors' in error ? error.Errors?.map((one) => one.PropertyName) : error,
        listed: page && !Array.isArray(page) ? page.Records.map((one) => one.Id) : page,
    }));
}

main(process.argv.slice(2));
