/**
 * `npm run cdk:deploy-local`: deploys the templates of dev and prod to ministack, which enforces their policies, runs the demo
 * on the deployed table and queues with the deployed roles, and rolls the deployed services back: by the command, and in all
 * cases of `npm run rollback`, each on stacks of its own, alone and with a double before them that plays rollouts.
 */
import { ECRClient } from '@aws-sdk/client-ecr';
import { programOptions } from '../../fixtures/program-options.ts';
import { startMinistackAws } from '../../stand-ins/ministack-aws.ts';
import { runByCommand } from './by-command.ts';
import { cases } from './rollback/cases.ts';
import { startDouble } from './rollback/double.ts';
import { plainCases, runEach, type Tally } from './rollback/run-cases.ts';
import { imagesIn, labelsOf, tags } from './rollback/world.ts';
import { runDemo } from './run-demo.ts';
import { openStackWorld } from './stack-world.ts';
import {
  type DeployedStage,
  deployStage,
  removedTypes,
  type StageTemplates,
  synthesizeStages,
} from './stages.ts';

const { limit } = programOptions('cdk:deploy-local', {
  /** The time in seconds after which a run that hangs is given up. */
  limit: 600,
});
const watchdog = setTimeout(() => {
  console.error(`the run did not end within ${limit} s`);
  // All processes of the run end with this one.
  process.exit(1);
}, limit * 1_000);
const beganMs = performance.now();
const progress = (line: string): void =>
  console.log(`${((performance.now() - beganMs) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

const aws = await startMinistackAws();
const templates = await synthesizeStages('webhooks', aws.region);
const deployed = new Map<string, DeployedStage>();
for (const stage of templates) {
  const push = async (repository: string): Promise<void> => {
    const ecr = new ECRClient(aws.root);
    await imagesIn(ecr, repository, undefined).pushImage(tags[0], labelsOf(tags[0]));
    ecr.destroy();
  };
  deployed.set(stage.name, await deployStage(aws, stage, { tag: tags[0], push }));
  const sizeOf = ({ data, app }: StageTemplates): number =>
    Object.keys(data.Resources).length + Object.keys(app.Resources).length;
  const removed = [...removedTypes(stage)];
  const count = removed.reduce((sum, [, some]) => sum + some, 0);
  progress(`${stage.name}: ${sizeOf(stage) - count} resources are deployed, and ${count} are not:`);
  for (const [type, some] of removed) console.log(`            ${some} ${type}`);
}
const [prod, prodTemplates] = [deployed.get('prod'), templates.find(({ name }) => name === 'prod')];
if (prod === undefined || prodTemplates === undefined) throw new Error('the app has no stage prod');

const demo = await runDemo(aws, prod, progress);
const tallies: Tally[] = [await runByCommand(aws, prod)];
progress('the command has rolled the stage of the demo back and forward');
let accounts = 200_000_000_000;
const nextAccount = () => aws.inAccount(String(++accounts));
tallies.push(
  await runEach(plainCases, 'the stacks', () => openStackWorld(nextAccount(), prodTemplates, undefined)),
);
tallies.push(
  await runEach(cases, 'a double before the stacks', async () => {
    const double = await startDouble(aws.endpoint);
    return openStackWorld(nextAccount(), prodTemplates, double);
  }),
);
await aws.stop();
clearTimeout(watchdog);
progress('all has ended');

const { submitted, accepted, deduplicated, succeeded, dead, outOfOrder, lost } = demo.total;
console.log(
  `deployed: submitted=${submitted} accepted=${accepted} deduplicated=${deduplicated} succeeded=${succeeded} dead=${dead} outOfOrder=${outOfOrder} lost=${lost}`,
);
const sum = (of: (one: Tally) => number): number => tallies.reduce((total, one) => total + of(one), 0);
const [count, passed] = [sum((one) => one.count), sum((one) => one.passed)];
console.log(`rollback: cases=${count} passed=${passed}`);
const areStopped = demo.workerStatuses.length > 0 && demo.workerStatuses.every((status) => status === 0);
if (!areStopped) console.error(`workers ended with ${demo.workerStatuses.join(', ')}`);
process.exit(demo.status === 0 && areStopped && count > 0 && count === passed ? 0 : 1);
