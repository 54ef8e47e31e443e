// A real browser without a window (Debian's chromium-headless-shell), driven by its DevTools
// protocol over a pipe: messages that end in a NUL. Requests to other addresses than the loopback
// fail, since they go to a proxy that does not exist.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { until } from './wait.mjs';

const flags = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--disable-dev-shm-usage',
    '--proxy-server=127.0.0.1:9',
    '--remote-debugging-pipe',
];

export class Page {
    // An empty page; closed, with its browser, after the tests of the file.
    static async open(more = []) {
        const page = new Page();
        page.folder = mkdtempSync(join(tmpdir(), 'roster-browser-'));
        page.child = spawn(
            'chromium-headless-shell',
            [...flags, ...more, `--user-data-dir=${page.folder}`],
            { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
        );
        page.ended = new Promise((resolve) => {
            page.child.on('exit', resolve);
        });
        page.sent = 0;
        page.waiting = new Map();
        page.on = {}; // what else is to be done at an event, by its name
        page.#listen();
        after(() => page.close());
        await page.renew();
        return page;
    }

    // An empty page in place of the one before, which leaves nothing: no cookie, nothing stored, no complaint.
    async renew() {
        this.sessionId = undefined;
        const before = this.browserContextId;
        const { browserContextId } = await this.send('Target.createBrowserContext');
        if (before) await this.send('Target.disposeBrowserContext', { browserContextId: before });
        const { targetId } = await this.send('Target.createTarget', {
            url: 'about:blank',
            browserContextId,
        });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        Object.assign(this, { browserContextId, sessionId, requests: [], complaints: [] });
        for (const domain of ['Page', 'Network', 'Runtime', 'Log'])
            await this.send(`${domain}.enable`);
    }

    #listen() {
        let rest = '';
        this.child.stdio[4].setEncoding('utf8').on('data', (text) => {
            const messages = (rest + text).split('\0');
            rest = messages.pop();
            for (const message of messages) this.#take(JSON.parse(message));
        });
        this.child.on('error', (error) => this.#fail(error));
        this.child.stdio[3].on('error', (error) => this.#fail(error)); // what was sent came too late
        this.ended.then(() => this.#fail(new Error('the browser ended')));
    }

    // All that was asked, and all that will be, fails by this.
    #fail(error) {
        this.failure ??= error;
        for (const { reject } of this.waiting.values()) reject(error);
        this.waiting.clear();
    }

    #take({ id, result, error, method, params, sessionId }) {
        const waiting = this.waiting.get(id);
        this.waiting.delete(id);
        if (waiting && error) waiting.reject(new Error(error.message));
        else if (waiting) waiting.resolve(result);
        else if (sessionId !== this.sessionId)
            return; // of a page that has gone
        else if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
        else if (method === 'Runtime.exceptionThrown')
            this.complaints.push(
                params.exceptionDetails.exception?.description ?? params.exceptionDetails.text,
            );
        else if (method === 'Page.fileChooserOpened') this.chooser = params.backendNodeId;
        else if (method === 'Page.javascriptDialogOpening')
            this.complaints.push(`a dialog: ${params.message}`);
        else if (method === 'Log.entryAdded') this.complaints.push(params.entry.text);
        else if (method === 'Runtime.consoleAPICalled' && /error|warning|assert/.test(params.type))
            this.complaints.push(params.args.map((one) => one.value ?? one.description).join(' '));
        else this.on[method]?.(params);
    }

    send(method, params = {}) {
        if (this.failure) return Promise.reject(this.failure);
        const id = ++this.sent;
        const answer = new Promise((resolve, reject) => {
            this.waiting.set(id, { resolve, reject });
        });
        this.child.stdio[3].write(
            `${JSON.stringify({ id, method, params, sessionId: this.sessionId })}\0`,
        );
        return answer;
    }

    // The value of an expression in the page, awaited.
    async evaluate(expression) {
        const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
            expression,
            awaitPromise: true,
            returnByValue: true,
        });
        if (exceptionDetails)
            throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
    }

    // Goes to a URL and waits until `expression` is true there.
    async goto(url, expression) {
        await this.send('Page.navigate', { url });
        await until(
            `${expression} at ${url}`,
            () => this.evaluate(`location.href === ${JSON.stringify(url)} && !!(${expression})`),
            { pause: 50 },
        );
    }

    async screenshot() {
        return Buffer.from(
            (await this.send('Page.captureScreenshot', { format: 'png' })).data,
            'base64',
        );
    }

    async close() {
        this.child.stdio[3].write('{"id":0,"method":"Browser.close"}\0');
        await this.ended;
        for (const pipe of this.child.stdio.slice(3)) pipe.destroy();
        rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
    }
}
