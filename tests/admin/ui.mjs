// Drives the admin UI in a real browser as a person does: by what is labelled, by keys, by what is to be seen.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Page } from '../lib/browser.mjs';
import { temporaryFolder } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { adminEmail, password } from '../lib/users.mjs';

const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
const text = JSON.stringify;

// Language, colours and width in px, in which each screen and main task is tried.
export const variants = [
    ['en-US', 'light', 1280],
    ['es', 'dark', 1280],
    ['es', 'light', 390],
    ['en-US', 'dark', 390],
];

// The same, and what few screens need: 200 % zoom, and forced colours.
export const allVariants = [
    ...variants,
    ['es', 'light', 640, { scale: 2, as: 'at 200 %' }],
    ['en-US', 'dark', 1280, { colours: 'active', as: 'in forced colours' }],
];

export class Ui {
    // A browser of its own, so that it has no cookie. `language` is the browser's; `colours` 'active' are those that the
    // user has forced; a `scale` of 2 with half the width is a zoom of 200 %.
    static async open(server, options = {}) {
        const { language = 'en-US', motion = 'reduce', colours = 'none' } = options;
        const ui = new Ui();
        ui.server = server;
        ui.options = { ...options, language, motion, colours };
        ui.isStill = motion === 'reduce';
        ui.hasOwnColours = colours === 'none';
        ui.page = await Page.open([`--lang=${language}`, `--accept-lang=${language}`]);
        await ui.emulate();
        return ui;
    }

    // The same browser, which has forgotten all.
    async renew() {
        await this.page.renew();
        await this.emulate();
    }

    async emulate() {
        const { language, scheme = 'light', width = 1280, height = 900, scale = 1 } = this.options;
        await this.resize(width, height, scale);
        await this.page.send('Emulation.setEmulatedMedia', {
            features: [
                { name: 'prefers-color-scheme', value: scheme },
                { name: 'prefers-reduced-motion', value: this.options.motion },
                { name: 'forced-colors', value: this.options.colours },
            ],
        });
        await this.page.send('Emulation.setLocaleOverride', { locale: language.replace('-', '_') });
    }

    resize(width, height, scale = 1) {
        this.width = width;
        return this.page.send('Emulation.setDeviceMetricsOverride', {
            width,
            height,
            deviceScaleFactor: scale,
            mobile: width < 640 && scale === 1,
        });
    }

    evaluate(expression) {
        return this.page.evaluate(expression);
    }

    // Waits until an expression is true in the page, which may just be leaving for another.
    wait(expression) {
        return until(
            async () => `${expression} in: ${await this.text()} ${this.page.complaints}`,
            () =>
                this.evaluate(`!!(${expression})`).catch((error) => {
                    if (!/navigated or closed|context/.test(error.message)) throw error;
                    return false;
                }),
            { pause: 30 },
        );
    }

    text() {
        return this.evaluate("document.body?.innerText ?? ''");
    }

    sees(what, where = 'body') {
        return this.wait(
            `document.querySelector(${text(where)})?.innerText.includes(${text(what)})`,
        );
    }

    misses(what, where = 'body') {
        return this.wait(
            `!document.querySelector(${text(where)})?.innerText.includes(${text(what)})`,
        );
    }

    // Waits until the whole element is in the window.
    inView(selector) {
        return this.wait(`(() => {
            const box = document.querySelector(${text(selector)})?.getBoundingClientRect();
            return box && box.height && box.top >= 0 && box.bottom <= innerHeight;
        })()`);
    }

    // Goes to a view, and waits until it is shown in place of the one before.
    async go(hash, selector = 'main h1') {
        const url = `${this.server.url}/admin/${hash}`;
        if (!hash || !(await this.evaluate(`location.pathname === '/admin/'`)))
            await this.page.send('Page.navigate', { url });
        else
            await this.evaluate(`new Promise((resolve) => {
                if (location.href === ${text(url)}) return resolve();
                addEventListener('hashchange', () => setTimeout(resolve), { once: true });
                location.href = ${text(url)};
            })`);
        await this.wait(
            `location.href === ${text(url)} && document.querySelector(${text(selector)}) && !document.querySelector('[aria-busy=true]')`,
        );
    }

    // Clicks the element by a pointer, once it is there, is enabled, stands still and would be hit; again if it has moved
    // away meanwhile, so that the pointer met something else.
    async click(selector, what) {
        const find = `[...document.querySelectorAll(${text(selector)})].find((one) => ${text(what ?? '')} === '' || one.innerText.trim() === ${text(what ?? '')})`;
        await this.wait(`${find} && !${find}.disabled`);
        await until(
            `${selector} ${what ?? ''} is clicked`,
            async () => {
                const place = await this.evaluate(`new Promise((resolve) => {
            const element = ${find};
            if (!element) return resolve();
            element.scrollIntoView({ block: 'center' });
            const before = element.getBoundingClientRect();
            requestAnimationFrame(() => setTimeout(() => {
                const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
                const hit = document.elementFromPoint(x, y);
                const isStill = box.x === before.x && box.y === before.y;
                window.isMissed = true;
                element.addEventListener('pointerdown', () => { window.isMissed = false; }, { once: true, capture: true });
                resolve(isStill && (element.contains(hit) || hit?.contains(element)) ? { x, y } : null);
            }));
        })`);
                if (!place) return false;
                await this.press(place);
                return !(await this.evaluate('window.isMissed').catch(() => false)); // the page may have gone
            },
            { pause: 30 },
        );
    }

    async press({ x, y }) {
        for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased'])
            await this.page.send('Input.dispatchMouseEvent', {
                type,
                x,
                y,
                button: 'left',
                clickCount: 1,
            });
    }

    button(what) {
        return this.click('button, a.button', what);
    }

    // Replaces what an input has. It gets the focus and the text in one step, so that nothing takes the focus in between.
    async type(selector, value) {
        const command = value === '' ? 'delete' : 'insertText';
        await this.wait(`(() => {
            const input = document.querySelector(${text(selector)});
            if (!input || input.disabled || input.readOnly) return false;
            input.focus();
            input.select();
            return document.execCommand('${command}', false, ${text(value)}) || input.value === ${text(value)};
        })()`);
    }

    // Chooses a file with this content, by the keyboard.
    async choose(name, content) {
        this.folder ??= temporaryFolder();
        const path = join(this.folder, name);
        writeFileSync(path, content);
        await this.wait("document.querySelector('#file:enabled')");
        await this.page.send('Page.setInterceptFileChooserDialog', { enabled: true });
        await this.evaluate("document.querySelector('#file').focus()");
        await this.key('Enter');
        const backendNodeId = await until('the dialog for a file', () => this.page.chooser);
        this.page.chooser = null;
        await this.page.send('DOM.setFileInputFiles', { backendNodeId, files: [path] });
    }

    // Compares what a record was at first with what it is now.
    async compareMoments() {
        await this.click('#panel details summary');
        for (const [id, value] of [
            ['moment-from', '2000-01-01T00:00'],
            ['moment-to', '2100-01-01T00:00'],
        ])
            await this.evaluate(`{ const one = document.querySelector('#${id}');
                one.value = ${text(value)}; one.dispatchEvent(new Event('input', { bubbles: true })); }`);
        await this.click('#panel details button');
        await this.wait("document.querySelector('#moments tbody tr')");
    }

    select(selector, value) {
        return this.evaluate(`{ const one = document.querySelector(${text(selector)});
            one.value = ${text(value)}; one.dispatchEvent(new Event('change', { bubbles: true })); }`);
    }

    async key(key, { code = key, modifiers = 0, text: typed } = {}) {
        const codes = {
            Enter: 13,
            Escape: 27,
            Tab: 9,
            ArrowDown: 40,
            ArrowUp: 38,
            ArrowRight: 39,
            ArrowLeft: 37,
            Delete: 46,
            ' ': 32,
        };
        const common = {
            key,
            code,
            modifiers,
            windowsVirtualKeyCode: codes[key] ?? key.toUpperCase().charCodeAt(0),
        };
        const inserts =
            typed ??
            { Enter: '\r', ' ': ' ' }[key] ??
            (key.length === 1 && !modifiers ? key : undefined);
        await this.page.send('Input.dispatchKeyEvent', {
            type: 'keyDown',
            ...common,
            text: inserts,
        });
        await this.page.send('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
    }

    async signIn(email = adminEmail, secret = password) {
        await this.go('', '#password');
        await this.type('#email', email);
        await this.type('#password', secret);
        await this.key('Enter');
    }

    async signedIn(email, secret) {
        await this.signIn(email, secret);
        await this.wait("document.querySelector('header nav')");
    }

    // Texts that do not fit in their box or in the window. Those in a part that scrolls can be read. A name may be
    // shortened by dots (.clamped), because its record shows it in full. The chosen tab is always in view.
    cutOff() {
        return this.evaluate(`[...document.querySelectorAll('body *')].filter((one) => {
            if (!one.checkVisibility() || one.closest('.out-of-sight, .skip, svg, thead, select')) return false;
            const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (!text && !one.matches('input, select, button, progress')) return false;
            const style = getComputedStyle(one), box = one.getBoundingClientRect();
            const isShort = one.matches('.clamped, .email, .account *') || !!one.closest('.clamped');
            const isInner = one.scrollWidth > one.clientWidth + 1 && style.overflowX !== 'visible' && !/auto|scroll/.test(style.overflowX);
            let over = one.parentElement;
            while (over && !/auto|scroll/.test(getComputedStyle(over).overflowX)) over = over.parentElement;
            const frame = over?.getBoundingClientRect();
            if (one.matches('[aria-selected=true]') && over && (box.right > frame.right + 1 || box.left < frame.left - 1)) return true;
            const isOuter = !over && (box.right > innerWidth + 1 || box.left < -1);
            return !isShort && (isInner && !one.matches('input') || isOuter);
        }).map((one) => one.outerHTML.slice(0, 200))`);
    }

    // Controls without a border, choices without a mark and focus without an outline, where the user has forced colours:
    // backgrounds are gone there. Each control of this part in turn gets the focus.
    unmarked(part = 'body') {
        return this
            .evaluate(`[...document.querySelectorAll('button, a.button, input, select, textarea, [role=tab], nav a')].filter((one) => {
            if (!one.checkVisibility() || one.disabled || one.closest('.out-of-sight') || !one.closest(${text(part)})) return false;
            const before = document.activeElement;
            const plain = getComputedStyle(one);
            const hasBorder = plain.borderBottomStyle !== 'none' && parseFloat(plain.borderBottomWidth) > 0 || one.matches('nav a, [type=checkbox], [type=radio]');
            const isChosen = one.matches('[aria-current], [aria-selected=true]');
            const mark = (style) => [style.outlineStyle, style.outlineWidth, style.borderBottomStyle, style.borderBottomWidth, style.textDecorationLine].join();
            const other = isChosen && [...one.parentElement.children].find((sibling) => sibling.matches(one.tagName) && !sibling.matches('[aria-current], [aria-selected=true]'));
            const hasChoice = !other || mark(getComputedStyle(other)) !== mark(plain);
            one.focus({ focusVisible: true, preventScroll: true });
            const { outlineStyle, outlineWidth } = getComputedStyle(one);
            const hasFocus = document.activeElement !== one || outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
            before?.focus({ preventScroll: true });
            if (hasBorder && hasChoice && hasFocus) return false;
            one.dataset.lacks = [hasBorder, hasChoice, hasFocus].join();
            return true;
        }).map((one) => one.outerHTML.slice(0, 200))`);
    }

    // Nothing that axe finds against WCAG 2.2 AA, nothing cut off or wider than the window, nothing that moves, nothing in
    // the console but requests that the server `refused` with these statuses, or that found no server (0).
    async check(name, { refused = [] } = {}) {
        if (process.env.SCREENSHOTS) {
            mkdirSync(process.env.SCREENSHOTS, { recursive: true });
            writeFileSync(`${process.env.SCREENSHOTS}/${name}.png`, await this.page.screenshot());
        }
        if (!(await this.evaluate('typeof axe === "object"'))) await this.evaluate(`${axe}; 0`);
        const violations = await this.evaluate(`axe.run(document, {
            runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
            rules: {
                region: { enabled: false }, // a menu is in no landmark (WAI-ARIA)
                'color-contrast': { enabled: ${this.hasOwnColours} }, // it sees the page's colours, not the forced ones
            },
            resultTypes: ['violations'],
        }).then(({ violations }) => violations.map(({ id, nodes }) => \`\${id}: \${nodes.map(({ html, failureSummary }) => html.slice(0, 300) + ' ' + failureSummary).join(' | ')}\`))`);
        assert.deepEqual(violations, [], name);
        assert.ok(
            (await this.evaluate('document.documentElement.scrollWidth')) <= this.width,
            `${name} is wider than the window`,
        );
        assert.deepEqual(await this.cutOff(), [], `${name} has a text that is cut off`);
        if (this.isStill)
            assert.equal(await this.evaluate('document.getAnimations().length'), 0, name);
        const expected = refused.map((status) =>
            status ? `status of ${status} ` : 'ERR_INTERNET',
        );
        assert.deepEqual(
            this.page.complaints.filter((one) => !expected.some((part) => one.includes(part))),
            [],
            name,
        );
        const elsewhere = this.page.requests.filter(
            (url) => !url.startsWith(`${this.server.url}/`) && !url.startsWith('data:'),
        );
        assert.deepEqual(elsewhere, [], name);
    }

    close() {
        return this.page.close();
    }
}
