/**
 * `npm run races`: 1,000 claim races between two processes on SQLite, and 1,000 on a shared DynamoDB table (`--races N`
 * sets the number). In each race both processes claim one task at the same moment. A race has a single winner if one
 * process got the task and its settlement was accepted, and the store refused the other claim with an error that names
 * the winner.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { claimerNames } from './names.ts';
import { raceOnAws } from './on-aws.ts';
import { raceOnSqlite } from './on-sqlite.ts';
import { hasSingleWinner, type Race } from './race.ts';

const { races: count, seed } = programOptions('races', { races: 1_000, seed: 1 });

function report(engine: string, races: readonly Race[], seconds: number): number {
  const single = races.filter(hasSingleWinner).length;
  const won = claimerNames.map(
    (name) => `${name} ${races.filter(({ winners }) => winners[0] === name).length}`,
  );
  console.log(
    `${engine}: ${single} of ${races.length} races with a single winner (${won.join(', ')}), ${seconds} s`,
  );
  for (const race of races.filter((one) => !hasSingleWinner(one)).slice(0, 5))
    console.log('  no single winner:', race);
  const { message, code, reason, cause } = races[0]?.lost[0] ?? {};
  console.log(
    `  a loser's error: ${code}, ${reason}: ${message}${cause === undefined ? '' : ` (refused with ${cause})`}`,
  );
  return single;
}

async function run(engine: string, races: () => Promise<Race[]>): Promise<[number, number]> {
  const beganMs = performance.now();
  const run = await races();
  const seconds = Math.round((performance.now() - beganMs) / 100) / 10;
  return [run.length, report(engine, run, seconds)];
}

const onSqlite = await run('sqlite', () => raceOnSqlite(count));
const onAws = await run('aws', () => raceOnAws(count, seed));
const [races, single] = [onSqlite[0] + onAws[0], onSqlite[1] + onAws[1]];
console.log(`races: races=${races} singleWinners=${single}`);
process.exitCode = races > 0 && races === single ? 0 : 1;
