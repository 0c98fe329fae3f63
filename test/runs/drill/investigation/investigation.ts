/** One investigation: it asks the questions of runbooks, and notes each step with its answer. */
import type { WebhookBody } from '../../alerts/webhook-body.ts';
import type { CommandAnswer, Line, Sample, Span, Trouble } from './answers.ts';
import { filledQuery, questionsOf } from './runbook.ts';
import type { Language, Sources } from './sources.ts';

/** A query that was asked, with its answer. */
export interface Step {
  /** The page of the runbooks, and its question. */
  readonly page: string;
  readonly question: string;
  readonly language: Language;
  readonly query: string;
  readonly answer: unknown;
}

/** The answers to all queries of a question, by their form. */
export interface Answers {
  readonly samples: readonly Sample[];
  readonly lines: readonly Line[];
  readonly spans: readonly Span[];
}

export class Investigation {
  readonly steps: Step[] = [];
  /** The first alert of the webhook that fires. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly #sources: Sources;
  readonly #factor: number;
  readonly #onStep: (step: Step) => void;
  #queue: string;

  constructor(body: WebhookBody, sources: Sources, factor: number, onStep: (step: Step) => void = () => {}) {
    const alert = body.alerts.find(({ status }) => status === 'firing') ?? body.alerts[0];
    this.labels = alert?.labels ?? {};
    this.annotations = alert?.annotations ?? {};
    this.#sources = sources;
    this.#factor = factor;
    this.#onStep = onStep;
    this.#queue = this.labels.queue ?? '';
  }

  /** The queue that is looked at: that of the alert, or the one that an answer has shown. */
  get queue(): string {
    return this.#queue;
  }

  lookAt(queue: string | undefined): void {
    this.#queue = queue ?? this.#queue;
  }

  wait(ms: number): Promise<void> {
    return this.#sources.wait(ms);
  }

  async #step(page: string, question: string, language: Language, query: string): Promise<unknown> {
    const answer = await this.#sources.answer(language, query);
    const step = { page, question, language, query, answer };
    this.steps.push(step);
    this.#onStep(step);
    return answer;
  }

  /** Asks a question of a page by all of its queries. */
  async ask(page: string, question: string): Promise<Answers> {
    const found = questionsOf(page).find(({ text }) => text === question);
    if (found === undefined) throw new Error(`${page} has no question '${question}'`);
    const answers = { samples: [] as Sample[], lines: [] as Line[], spans: [] as Span[] };
    for (const query of found.queries) {
      const text = filledQuery(query, this.#queue, this.#factor);
      const answer = await this.#step(page, question, query.language, text);
      if (query.language === 'promql') answers.samples.push(...(answer as Sample[]));
      else if (query.language === 'logsql') answers.lines.push(...(answer as Line[]));
      else answers.spans.push(...(answer as Span[]));
    }
    return answers;
  }

  /** Runs a command that the page names. */
  async command(page: string, line: string): Promise<CommandAnswer> {
    return (await this.#step(page, 'Commands', 'sh', line)) as CommandAnswer;
  }

  /** Returns what `holdfast trouble` lists, or the error with which it ended. */
  async trouble(page: string): Promise<{ groups: readonly Trouble[]; error: string }> {
    const { result } = await this.command(page, 'holdfast trouble');
    const { error, groups = [] } = result;
    return { groups, error: error === undefined ? '' : `${error.reason}: ${error.message}` };
  }
}
