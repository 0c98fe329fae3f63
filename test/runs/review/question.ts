/** One of the nine questions, and the evidence that its answer collects. */

export interface QuestionOptions {
  readonly seed: number;
  /** True to run every cause of the drill in place of a drawn one. */
  readonly allCauses: boolean;
}

export interface Question {
  readonly number: number;
  readonly title: string;
  /** Answers the question by running, and records what it did and saw. An error means that the answer is not shown. */
  answer(evidence: Evidence, options: QuestionOptions): Promise<void>;
}

/** The evidence of an answer: its actions, its observations, and what it expected to see and did not. */
export class Evidence {
  readonly did: string[] = [];
  readonly saw: string[] = [];
  readonly missing: string[] = [];
  readonly #print: (line: string) => void;

  /** `print` gets each line as soon as it is known. */
  constructor(print: (line: string) => void = () => {}) {
    this.#print = print;
  }

  /** Records an action. */
  act(line: string): void {
    this.did.push(line);
    this.#print(`did  ${line}`);
  }

  /** Records an observation, which may have several lines. */
  see(text: string): void {
    for (const line of text.split('\n')) {
      this.saw.push(line);
      this.#print(`saw  ${line}`);
    }
  }

  /** Records what was expected and not seen, if the condition does not hold. */
  expect(condition: boolean, reason: string): void {
    if (condition) return;
    this.missing.push(reason);
    this.#print(`miss ${reason}`);
  }

  /** Runs parts of an answer at the same time, and records what each has found in their order. An error of a part is missing evidence. */
  async together(parts: Readonly<Record<string, (evidence: Evidence) => Promise<void>>>): Promise<void> {
    const ended = Object.entries(parts).map(async ([name, part]) => {
      const evidence = new Evidence();
      await part(evidence).catch(({ message }: Error) => evidence.expect(false, `${name}: ${message}`));
      return evidence;
    });
    for (const one of ended) {
      const { did, saw, missing } = await one;
      for (const line of did) this.act(line);
      for (const line of saw) this.see(line);
      for (const reason of missing) this.expect(false, reason);
    }
  }

  /** Records an observation beside the value that is expected. */
  seeEqual(what: string, found: unknown, expected: unknown): void {
    const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
    this.see(`${what}: ${typeof found === 'string' ? found : one}`);
    this.expect(one === other, `${what}: ${one} in place of ${other}`);
  }
}

export interface Answer {
  readonly question: number;
  readonly title: string;
  readonly did: readonly string[];
  readonly saw: readonly string[];
  readonly verdict: 'shown' | 'not shown';
  /** Why the answer is not shown; empty if it is. */
  readonly reason: string;
  readonly seconds: number;
}

/** Answers a question. It never throws: an error is the reason for which the answer is not shown. */
export async function answerOf(
  question: Question,
  options: QuestionOptions,
  print: (line: string) => void = () => {},
): Promise<Answer> {
  const { number, title } = question;
  const evidence = new Evidence(print);
  const beganMs = performance.now();
  try {
    await question.answer(evidence, options);
    evidence.expect(evidence.saw.length > 0, 'nothing was seen');
  } catch (thrown) {
    evidence.expect(false, (thrown as Error).message);
  }
  const { did, saw, missing } = evidence;
  return {
    ...{ question: number, title, did, saw, reason: missing.join('; ') },
    verdict: missing.length === 0 ? 'shown' : 'not shown',
    seconds: Math.round((performance.now() - beganMs) / 100) / 10,
  };
}
