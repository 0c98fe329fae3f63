/**
 * `npm run stand-ins`: stand-ins for DynamoDB (dynoxide) and SQS (fauxqs) on loopback, on ports that stay the same, to
 * try the engine aws without an account. Prints what to set, and runs until Ctrl-C or SIGTERM; what they hold is in
 * memory. `-- --dynamodb-port N --sqs-port N`: other ports; 0: any free one.
 */
import { untilStopped } from '../../src/cli/stop.ts';
import { programOptions } from '../fixtures/program-options.ts';
import { startDynoxide } from './dynoxide.ts';
import { startFauxqs } from './fauxqs.ts';

const ports = programOptions('stand-ins', { dynamodbPort: 7281, sqsPort: 7282 });
/** The front remembers each call for specs; here nobody asks. */
const forgetMs = 60_000;

// Dynoxide would outlive a terminal that was closed.
process.once('SIGHUP', () => process.exit(129));

function say(thrown: unknown): never {
  const { code, port, message } = thrown as NodeJS.ErrnoException & { port?: number };
  const flag = port === ports.sqsPort ? '--sqs-port' : '--dynamodb-port';
  const told =
    code === 'EADDRINUSE'
      ? `Port ${port} is taken. Name another one: npm run stand-ins -- ${flag} N.`
      : message;
  console.error(`error: ${told}`);
  process.exit(1);
}

async function start() {
  const dynamodb = await startDynoxide(ports.dynamodbPort);
  return { dynamodb, sqs: await startFauxqs(ports.sqsPort) };
}

const { dynamodb, sqs } = await start().catch(say);
console.log(`Stand-ins for DynamoDB and SQS are up, on this machine alone. What they hold is in memory, and gone when they end:
with Ctrl-C. In each terminal that is to use them:

export HOLDFAST_AWS_ENDPOINT_DYNAMODB=${dynamodb.endpoint}
export HOLDFAST_AWS_ENDPOINT_SQS=${sqs.endpoint}
export AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=stand-in AWS_SECRET_ACCESS_KEY=stand-in
export HOLDFAST_ENGINE=aws HOLDFAST_AWS_TABLE=jobs
`);
const forgetting = setInterval(() => sqs.front.forget(), forgetMs);
const signal = await Promise.race([untilStopped(), dynamodb.gone]);
if (signal === undefined) say(new Error('dynoxide has ended, and all that it held is gone.'));
clearInterval(forgetting);
await Promise.all([dynamodb.stop(), sqs.stop()]);
