// Signing in and out.
import { Refusal, send } from './api';
import { hasUnsaved } from './router.svelte';
import { expire, flag, hasSignedIn, rememberSignIn, session, type Caller } from './state.svelte';

// Asks the server who is signed in. Another user than before gets a new page.
export async function refresh() {
    if (!hasSignedIn()) {
        expire();
        return;
    }
    try {
        const { value } = await send<Caller>('GET', '../api/auth/session');
        if (session.caller && session.caller.UserId !== value.UserId) location.reload();
        session.caller = value;
        session.phase = 'in';
    } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 401) throw error;
    }
}

// All tabs of a browser have one session. When another tab signs in, this one may be somebody else's; when it signs out,
// this one shows nothing any more, except under what was typed.
window.addEventListener('storage', ({ key, newValue }) => {
    if (key !== flag) return;
    if (newValue === null && session.phase === 'in' && !hasUnsaved()) location.reload();
    else refresh().catch((error) => {
        if (!(error instanceof Refusal)) throw error; // the page says that the server cannot be reached
    });
});

export interface SignIn {
    State: 'SignedIn' | 'CodeNeeded' | 'CodeWrong' | 'PasswordDue';
    ResetToken: string | null;
}

export async function signIn(Email: string, Password: string, Code: string) {
    const body = Code ? { Email, Password, Code } : { Email, Password };
    const { value } = await send<SignIn>('POST', '../api/auth/session', { body, isSignIn: true });
    if (value.State === 'SignedIn') rememberSignIn(true);
    return value;
}

export async function setPassword(Token: string, NewPassword: string) {
    await send('POST', '../api/auth/resetpassword', { body: { Token, NewPassword }, isSignIn: true });
}

export async function signOut() {
    try {
        await send('DELETE', '../api/auth/session', { isSignIn: true });
    } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 401) throw error;
    }
    rememberSignIn(false);
    location.hash = '';
    location.reload();
}
