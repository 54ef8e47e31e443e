// An import or a bulk change on its way: how far it is, what became of the rows, and how it is stopped.
import { Refusal } from './api';
import { outcomes, sendPart, type Options, type Outcome, type Part, type Result } from './bulk';
import { m, reason } from './messages';

const none = () => Object.fromEntries(outcomes.map((one) => [one, 0])) as Record<Outcome, number>;

export class Run {
    isRunning = $state(false);
    isDry = $state(false);
    isDone = $state(false); // to its end
    done = $state(0);
    total = $state(0);
    counts = $state(none());
    results = $state.raw<Result[]>([]);
    failure = $state('');
    ignored = $state.raw<string[]>([]);
    #controller = new AbortController();

    get refused() {
        return this.results.filter((one) => one.Outcome === 'refused');
    }

    cancel() {
        this.#controller.abort();
    }

    reset() {
        this.isDone = false;
        this.done = 0;
        this.counts = none();
        this.results = [];
        this.failure = '';
        this.ignored = [];
    }

    async start(parts: Part[], options: Omit<Options, 'signal'>) {
        this.reset();
        this.#controller = new AbortController();
        this.isRunning = true;
        this.isDry = options.isDry;
        this.total = parts.reduce((sum, part) => sum + part.rows, 0);
        const results: Result[] = [];
        let shown = 0;
        // Many rows come at once: the page shows them a few times a second.
        const show = () => {
            shown = performance.now();
            this.done = results.length;
            const counts = none();
            for (const { Outcome } of results) counts[Outcome]++;
            this.counts = counts;
        };
        try {
            for (const part of parts) {
                const summary = await sendPart(part, { ...options, signal: this.#controller.signal }, (result) => {
                    results.push(result);
                    if (performance.now() - shown > 200) show();
                });
                if (!summary) throw new Refusal(0, '');
                this.ignored = summary.IgnoredColumns;
                if (!summary.IsWhole) throw new Refusal(409, summary.Message ?? '');
            }
            this.isDone = true;
        } catch (error) {
            if (this.#controller.signal.aborted) this.failure = m.run_cancelled();
            else if (error instanceof Refusal) this.failure = reason(error);
            else throw error;
        } finally {
            show();
            this.results = results;
            this.isRunning = false;
        }
    }
}
