/** The third question: two workers race for one task. */
import type { LoggedCall } from '../../../stand-ins/proxy/call.ts';
import { claimerNames } from '../../races/names.ts';
import { raceOnAws } from '../../races/on-aws.ts';
import { raceOnSqlite } from '../../races/on-sqlite.ts';
import { hasSingleWinner, type Race } from '../../races/race.ts';
import type { Evidence, Question } from '../question.ts';

const count = 1_000;

/** The writes of one race: two of one item, of which the table refused one. */
interface WirePair {
  readonly accepted: LoggedCall;
  readonly refused: LoggedCall;
}

/** Returns the two claims of one task as they stood on the wire. */
export function claimPair(calls: readonly LoggedCall[]): WirePair | undefined {
  const updates = calls.filter(({ operation }) => operation === 'UpdateItem');
  const byItem = Map.groupBy(updates, ({ keys }) => keys[0] ?? '');
  for (const refused of updates.filter(({ status }) => status === 400)) {
    const [expression] = refused.expressions;
    const accepted = byItem
      .get(refused.keys[0] ?? '')
      ?.find((one) => one.status === 200 && one.expressions[0] === expression);
    if (accepted !== undefined) return { accepted, refused };
  }
  return undefined;
}

function judge(evidence: Evidence, engine: string, races: readonly Race[]): void {
  const single = races.filter(hasSingleWinner);
  const wins = claimerNames.map(
    (name) => `${name} ${single.filter(({ winners }) => winners[0] === name).length}`,
  );
  evidence.see(`${engine}: ${single.length} of ${races.length} races have one winner (${wins.join(', ')})`);
  evidence.expect(
    races.length === count && single.length === count,
    `${engine}: ${single.length} of ${count} races`,
  );
  const { message = '', code, reason, cause } = races[0]?.lost[0] ?? {};
  evidence.see(
    `${engine}: a loser's error: ${cause === undefined ? '' : `${cause} → `}${code} ${reason}: ${message}`,
  );
}

export const claimRace: Question = {
  number: 3,
  title: 'Two workers race for one task: which write decides, and what does the loser get?',
  async answer(evidence, { seed }) {
    evidence.act(
      `${count} races of two processes with an engine each on one table, then of two processes on one server on SQLite`,
    );
    let pair: WirePair | undefined;
    const onAws = await raceOnAws(count, seed, (calls) => {
      pair = claimPair(calls);
    });
    judge(evidence, 'aws', onAws);
    evidence.expect(pair !== undefined, 'aws: no refused claim was seen on the wire');
    if (pair !== undefined) {
      const [condition = '', update = ''] = pair.refused.expressions;
      evidence.see(`aws: both claims are an UpdateItem of ${pair.refused.keys[0]} with the same condition:`);
      evidence.see(`  ConditionExpression ${condition}`);
      evidence.see(`  UpdateExpression    ${update}`);
      evidence.see(`  values ${JSON.stringify(pair.refused.body.ExpressionAttributeValues)?.slice(0, 300)}`);
      evidence.see(`  answers: ${pair.accepted.status} to the winner, ${pair.refused.status} to the loser`);
    }
    const causes = new Set(onAws.flatMap(({ lost }) => lost.map(({ cause }) => cause)));
    evidence.seeEqual('aws: errors of the table', [...causes].join(), 'ConditionalCheckFailedException');
    judge(evidence, 'sqlite', await raceOnSqlite(count));
  },
};
