/**
 * `npm run demo:aws` runs the demo on local stand-ins for DynamoDB and SQS FIFO, with two API nodes and three worker
 * processes: one connects over gRPC, two poll SQS themselves. One node and one worker are killed while the webhooks are
 * submitted. With `-- --faults` indexes lag, reads are stale, and answers are late or lost.
 */
import { startAwsDeployment } from '../../test/fixtures/aws-deployment.ts';
import { startCommand } from '../../test/fixtures/command-process.ts';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { runOnAws } from './run-on-aws.ts';

const { faults } = programOptions('demo:aws', { faults: false });
const site = await startAwsDeployment({ queues: ['webhooks'], nodes: 2, faults });
console.log('two API nodes and three workers on one table');
const { status } = await runOnAws(site, new URL('./worker.ts', import.meta.url).pathname, startCommand);
await site.stop();
process.exit(status);
