// The view stands in the fragment of the address, as #/users/1?tab=access: reload, the back button and a copied address
// bring the same view, and what was searched for is in no log of a server or proxy.
export interface Route {
    path: string[];
    parameters: Record<string, string>;
}

// A `%` that was typed or cut off stands for itself.
function decoded(part: string) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

function parse(hash: string): Route {
    const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
    return {
        path: path.split('/').filter(Boolean).map(decoded),
        parameters: Object.fromEntries(new URLSearchParams(search)),
    };
}

export function address(path: (string | number)[], parameters: Record<string, string | number | undefined> = {}) {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        if (value !== undefined && value !== '') search.set(name, `${value}`);
    const asked = `${search}`;
    return `#/${path.map((part) => encodeURIComponent(part)).join('/')}${asked ? `?${asked}` : ''}`;
}

export const router = $state<{ route: Route; pending: string | null }>({ route: parse(location.hash), pending: null });

// Is there something unsaved in the view?
let isUnsaved: () => boolean = () => false;
let shown = location.hash;

export const hasUnsaved = () => isUnsaved();

export function guard(check: () => boolean) {
    isUnsaved = check;
    return () => {
        if (isUnsaved === check) isUnsaved = () => false;
    };
}

// Where the shown entry stands in the history, in browsers that say so.
const entries = (window as { navigation?: { currentEntry: { index: number } | null } }).navigation;
const placeNow = () => entries?.currentEntry?.index ?? 0;
let place = placeNow();

const pathOf = (hash: string) => hash.split('?')[0];

window.addEventListener('hashchange', () => {
    if (pathOf(location.hash) !== pathOf(shown) && isUnsaved()) {
        router.pending = location.hash;
        // The back button has left the entry of this view, which comes again after the one before; a link has made a new one.
        if (placeNow() < place) history.pushState(null, '', shown || '#/');
        else history.replaceState(null, '', shown || '#/');
        place = placeNow();
        return;
    }
    place = placeNow();
    shown = location.hash;
    router.route = parse(shown);
});

window.addEventListener('beforeunload', (event) => {
    if (isUnsaved()) event.preventDefault();
});

// Goes on to where the user wanted to, and leaves what is unsaved; or stays.
export function leave(doesLeave: boolean) {
    const to = router.pending;
    router.pending = null;
    if (!doesLeave || to === null) return;
    isUnsaved = () => false;
    location.hash = to;
}

export function go(to: string) {
    location.hash = to;
}

// The same view with other parameters. Typing replaces the entry of the history in place of adding one for each letter.
export function change(parameters: Record<string, string | number | undefined>, isTyping = false) {
    const to = address(router.route.path, { ...router.route.parameters, ...parameters });
    if (!isTyping) {
        location.hash = to;
        return;
    }
    history.replaceState(null, '', to);
    shown = to;
    router.route = parse(to);
}
