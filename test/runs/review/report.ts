/** The lines that `npm run review` prints at its end. */
import type { Answer } from './question.ts';

export function table(answers: readonly Answer[]): readonly string[] {
  const rows = answers.map(({ question, title, verdict, reason, seconds }) => {
    const cells = [String(question).padStart(2), verdict.padEnd(9), seconds.toFixed(1).padStart(6), title];
    return `${cells.join('  ')}${reason === '' ? '' : `\n    ${reason}`}`;
  });
  return [` n  ${'verdict'.padEnd(9)}       s  question`, ...rows];
}

export function lastLine(answers: readonly Answer[], seconds: number): string {
  const answered = answers.filter(({ verdict }) => verdict === 'shown').length;
  return `review: questions=${answers.length} answered=${answered} seconds=${Math.round(seconds)}`;
}

/** The object that `--json` prints, with a row for each question. */
export function jsonOf(answers: readonly Answer[], seconds: number, seed: number): object {
  const answered = answers.filter(({ verdict }) => verdict === 'shown').length;
  return { questions: answers, answered, seconds: Math.round(seconds), seed };
}

export function isAllShown(answers: readonly Answer[]): boolean {
  return answers.length > 0 && answers.every(({ verdict }) => verdict === 'shown');
}
