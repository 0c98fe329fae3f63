/**
 * `npm run stand-ins` starts stand-ins for DynamoDB (dynoxide) and SQS (fauxqs) on fixed ports of 127.0.0.1, to try the
 * aws engine without an account. It prints the variables to set and runs until Ctrl-C or SIGTERM. All data is in
 * memory. `-- --dynamodb-port N --sqs-port N` selects other ports; 0 chooses a free port.
 */
import { untilStopped } from '../../src/cli/stop.ts';
import { programOptions } from '../fixtures/program-options.ts';
import { startDynoxide } from './dynoxide.ts';
import { startFauxqs } from './fauxqs.ts';

const ports = programOptions('stand-ins', { dynamodbPort: 7481, sqsPort: 7482 });
/**
 * How often the recorded SQS calls are dropped, in ms. The SQS proxy records each call for tests, and this program
 * runs no tests.
 */
const forgetMs = 60_000;

// Without this handler the dynoxide process would go on running after its terminal was closed.
process.once('SIGHUP', () => process.exit(129));

function exitWith(thrown: unknown): never {
  const { code, port, message } = thrown as NodeJS.ErrnoException & { port?: number };
  const flag = port === ports.sqsPort ? '--sqs-port' : '--dynamodb-port';
  const text =
    code === 'EADDRINUSE'
      ? `Port ${port} is taken. Name another one: npm run stand-ins -- ${flag} N.`
      : message;
  console.error(`error: ${text}`);
  process.exit(1);
}

async function start() {
  const dynamodb = await startDynoxide(ports.dynamodbPort);
  return { dynamodb, sqs: await startFauxqs(ports.sqsPort) };
}

const { dynamodb, sqs } = await start().catch(exitWith);
console.log(`Stand-ins for DynamoDB and SQS are up, and reachable from this machine only. Their data is in memory, and lost when
they end. Stop them with Ctrl-C. Set this in each terminal that uses them:

export HOLDFAST_AWS_ENDPOINT_DYNAMODB=${dynamodb.endpoint}
export HOLDFAST_AWS_ENDPOINT_SQS=${sqs.endpoint}
export AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=stand-in AWS_SECRET_ACCESS_KEY=stand-in
export HOLDFAST_ENGINE=aws HOLDFAST_AWS_TABLE=jobs
`);
const forgetting = setInterval(() => sqs.front.forget(), forgetMs);
const signal = await Promise.race([untilStopped(), dynamodb.gone]);
if (signal === undefined) exitWith(new Error('dynoxide has ended, and all its data is lost.'));
clearInterval(forgetting);
await Promise.all([dynamodb.stop(), sqs.stop()]);
