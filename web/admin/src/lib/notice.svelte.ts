// A short text at the foot of the page, which screen readers read out. It stays for a few seconds and then until the next
// key or click, so that somebody who looked elsewhere does not miss it.
export const notice = $state({ text: '' });

const LEAST_MS = 6000;
let since = 0;

export function tell(text: string) {
    notice.text = text;
    since = performance.now();
}

for (const kind of ['pointerdown', 'keydown'])
    window.addEventListener(
        kind,
        () => {
            if (performance.now() - since >= LEAST_MS) notice.text = '';
        },
        { capture: true },
    );
