/**
 * `npm run review`: answers the nine questions of docs/review.md by running, and prints for each what it did, what it saw and the
 * verdict. `--only N` answers one, `--seed N` draws the cause of the sixth, `--all-causes` runs all of its causes, `--json` prints one
 * object. The exit status is 0 if every answer is shown. Its last line is `review: questions=9 answered=N seconds=N`.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { ensureInstalled } from '../alerts/programs.ts';
import { builtTool } from '../backends/tools.ts';
import { type Answer, answerOf } from './question.ts';
import { questions } from './questions.ts';
import { isAllShown, jsonOf, lastLine, table } from './report.ts';

const options = programOptions('review', {
  only: Number.NaN,
  seed: Number.NaN,
  allCauses: false,
  json: false,
});
const { only, allCauses, json } = options;
const seed = Number.isNaN(options.seed) ? Date.now() % 1_000_000 : options.seed;
const chosen = questions.filter(({ number }) => Number.isNaN(only) || number === only);
if (chosen.length === 0) {
  console.error(`--only is one of ${questions.map(({ number }) => number).join(', ')}`);
  process.exit(2);
}
/** The time after which a run that hangs is given up. Its programs end with it. */
const limitMs = (allCauses ? 30 : 20) * 60_000;

const say = (line: string): void => {
  if (!json) console.log(line);
};
/** The questions that need back ends of telemetry. They are built before the time of the review counts. */
const withBackends: ReadonlySet<number> = new Set([5, 6, 7]);
if (chosen.some(({ number }) => withBackends.has(number))) {
  const beganMs = performance.now();
  const advice = ensureInstalled(['prometheus', 'prometheus-alertmanager']);
  if (advice !== undefined) say(advice);
  try {
    for (const tool of ['jaeger', 'victoria-logs'] as const) builtTool(tool, say);
  } catch (thrown) {
    // The questions that need them say the same.
    say((thrown as Error).message);
  }
  const seconds = (performance.now() - beganMs) / 1_000;
  if (seconds > 2)
    say(`the back ends were built and installed in ${seconds.toFixed(0)} s, which do not count`);
}

const beganMs = performance.now();
setTimeout(() => {
  console.error(`the run did not end within ${limitMs / 60_000} minutes`);
  process.exit(1);
}, limitMs).unref();
const answers: Answer[] = [];
for (const question of chosen) {
  say(`\n${question.number}. ${question.title}`);
  const answer = await answerOf(question, { seed, allCauses }, (line) => say(`   ${line}`));
  say(`   ${answer.verdict}${answer.reason === '' ? '' : `: ${answer.reason}`}, ${answer.seconds} s`);
  answers.push(answer);
}
const seconds = (performance.now() - beganMs) / 1_000;
if (json) {
  console.log(JSON.stringify(jsonOf(answers, seconds, seed)));
  // Standard output is one object.
  console.error(lastLine(answers, seconds));
} else {
  say('');
  for (const line of table(answers)) say(line);
  say(`seed ${seed}`);
  say(lastLine(answers, seconds));
}
process.exit(isAllShown(answers) ? 0 : 1);
