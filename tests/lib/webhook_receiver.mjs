// A receiver of webhooks, which hands each record that is delivered to the test, in the order of arrival.
import { after } from 'node:test';
import http from 'node:http';

// Starts a receiver that ends with the test file. `note(user)` gets the record of each delivery and may give the status
// of the answer, which is 200 otherwise. The result is its host and port, as --webhook-hosts takes them.
export async function startWebhookReceiver(note) {
    const listener = http.createServer((request, reply) => {
        const parts = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => {
            const [user] = JSON.parse(Buffer.concat(parts));
            reply.statusCode = note(user) ?? 200;
            reply.end();
        });
    });
    await new Promise((ready) => listener.listen(0, '127.0.0.1', ready));
    after(() => {
        listener.close();
        listener.closeAllConnections();
    });
    return `127.0.0.1:${listener.address().port}`;
}
