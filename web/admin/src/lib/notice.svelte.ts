// A short text at the foot of the page, which screen readers read out; a few seconds later it is gone.
export const notice = $state({ text: '' });

let timer: number | undefined;

export function tell(text: string) {
    clearTimeout(timer);
    notice.text = text;
    timer = window.setTimeout(() => {
        notice.text = '';
    }, 6000);
}
