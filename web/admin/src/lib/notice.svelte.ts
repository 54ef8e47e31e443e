// A short text at the foot of the page, which screen readers read out. It stays for a few seconds and then until the next
// key or click, so that somebody who looked elsewhere does not miss it.
export const notice = $state({ text: '' });

let ending = new AbortController(); // of the notice that is shown

export function tell(text: string) {
    ending.abort();
    ending = new AbortController();
    const { signal } = ending;
    notice.text = text;
    const clear = () => {
        ending.abort();
        notice.text = '';
    };
    const timer = window.setTimeout(() => {
        for (const kind of ['pointerdown', 'keydown'])
            window.addEventListener(kind, clear, { capture: true, signal });
    }, 6000);
    signal.addEventListener('abort', () => clearTimeout(timer));
}
