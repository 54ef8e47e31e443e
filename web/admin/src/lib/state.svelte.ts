// Who is signed in, and what they may do. When the session ends meanwhile, the page stays as it is under a dialog that
// asks to sign in again, so that nothing that was typed is lost.
export interface Caller {
    UserId: number;
    Email: string;
    IsAdmin: boolean;
    Permissions: string[];
}

type Phase = 'unknown' | 'out' | 'in' | 'ended';

// Whether this browser has signed in: without that it need not ask who is. The cookie itself cannot be read here. Each
// sign-in has another value, so that the browser's other tabs hear of it.
export const flag = 'signed-in';
export const hasSignedIn = () => localStorage.getItem(flag) !== null;
export const rememberSignIn = (isIn: boolean) => (isIn ? localStorage.setItem(flag, `${Date.now()}`) : localStorage.removeItem(flag));

export const session = $state<{ phase: Phase; caller: Caller | null }>({ phase: 'unknown', caller: null });
export const connection = $state({ isLost: false });

export const can = (permission: string) => !!session.caller?.Permissions.includes(permission);

export function expire() {
    rememberSignIn(false);
    session.phase = session.phase === 'in' || session.phase === 'ended' ? 'ended' : 'out';
}
