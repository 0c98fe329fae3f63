/** Something that is wrong with the answer to a case. */
export interface Finding {
  readonly problem: string;
  readonly seed: number;
  /** The number of the case. */
  readonly number: number;
  readonly target: string;
  readonly sent: readonly Uint8Array[];
}

/** The number of findings of one kind that are printed whole. */
const mostAlike = 2;
const mostHexChars = 4_000;
const mostTargetChars = 600;

/** Counts the findings, and reports the first ones of each kind: one defect is found again and again. */
export class Findings {
  readonly #counts = new Map<string, number>();
  readonly #report: (finding: Finding) => void;

  constructor(report: (finding: Finding) => void) {
    this.#report = report;
  }

  add(finding: Finding): void {
    const kind = finding.problem.replaceAll(/\d+/g, '0').slice(0, 80);
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    if (count <= mostAlike) this.#report(finding);
  }

  get count(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** The kinds of problems, each with the number of its findings. */
  get kinds(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}

export function findingText({ problem, seed, number, target, sent }: Finding): string {
  const bytes = sent.map((one) => {
    const hex = Buffer.from(one).toString('hex');
    return hex.length > mostHexChars ? `${hex.slice(0, mostHexChars)}… (${one.length} bytes)` : hex;
  });
  return `${problem}\n  --seed ${seed} --case ${number}: ${target.slice(0, mostTargetChars)}\n  ${bytes.join('\n  ')}`;
}
