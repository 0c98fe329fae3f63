import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { serviceNamePattern } from '../../core/deployments/names.ts';
import { HoldfastError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { regionOption } from '../aws/options.ts';
import type { Globals } from '../globals.ts';
import { prometheusOf } from '../slo/prometheus.ts';
import { parseDuration } from '../text/durations.ts';
import { servicesOf } from './find.ts';
import { type Moved, type MoveOptions, move, movedText } from './move.ts';
import type { Deployments } from './port.ts';
import { isGoneBack, prepareForward, prepareRollback } from './prepare.ts';
import { see } from './reach.ts';
import { statusOf, statusText } from './status.ts';

/** A canary deployment of the CDK takes 15 minutes, and tasks take minutes to start and to drain. */
const defaultTimeoutMs = 45 * 60_000;
const pollMs = 5_000;

function parsePlainName(text: string): string {
  if (serviceNamePattern.test(text)) return text;
  throw new InvalidArgumentError('Write 1 to 64 letters, digits, dots, _ or -.');
}

/** The tags that ECR accepts. */
function parseTag(text: string): string {
  if (/^\w[\w.-]{0,127}$/.test(text)) return text;
  throw new InvalidArgumentError('Write a tag of the repository: 1 to 128 letters, digits, dots, _ or -.');
}

function stageOption() {
  return new Option('--stage <name>', 'the stage; default: the only one of the region')
    .argParser(parsePlainName)
    .env('HOLDFAST_STAGE');
}

function timeoutOption() {
  return new Option('--timeout <length>', 'how long to wait for ECS, which goes on after it')
    .argParser(parseDuration)
    .default(defaultTimeoutMs, '45m');
}

function prometheusOption() {
  const text = 'the URL of Prometheus; default: HOLDFAST_PROMETHEUS_URL, else the alarms of CloudWatch';
  return new Option('--prometheus <url>', text);
}

function schemaOption() {
  const text = 'go on although it is not known whether the image can read the data';
  return new Option('--accept-unknown-schema', text);
}

function dryRunOption() {
  return new Option('--dry-run', 'check and print what differs, and change nothing');
}

export function addDeploy(program: Command, globals: Globals): void {
  const deploy = program
    .command('deploy')
    .description('show what the services of a stage on ECS run, and roll them back and forward');
  addStatus(deploy as unknown as Command, globals);
  addRollback(deploy as unknown as Command, globals);
  addForward(deploy as unknown as Command, globals);
}

function addStatus(deploy: Command, globals: Globals): void {
  deploy
    .command('status')
    .argument('[service]', 'a service of the stage, such as api; default: all', parsePlainName)
    .description('show the tag that each service runs, its rollout, and the tag of the next deployment')
    .addOption(stageOption())
    .addOption(regionOption(''))
    .action(async (name, { stage, region }) => {
      await withDeployments(region, async (deployments) => {
        const services = await servicesOf(deployments, stage, name);
        const statuses = await Promise.all(services.map((one) => statusOf(deployments, one)));
        globals().output.result({ region: deployments.region, services: statuses }, () =>
          statusText(statuses),
        );
      });
    });
}

function addRollback(deploy: Command, globals: Globals): void {
  deploy
    .command('rollback')
    .argument('<service>', 'a service of the stage, such as api', parsePlainName)
    .description('go back to the tag that ran before, or to a named one; may be interrupted and run again')
    .addOption(new Option('--to <tag>', 'the tag of an image that was deployed').argParser(parseTag))
    .addOption(stageOption())
    .addOption(regionOption(''))
    .addOption(dryRunOption())
    .addOption(timeoutOption())
    .addOption(prometheusOption())
    .addOption(schemaOption())
    .action(async (name, options) => {
      const { to, stage, region } = options;
      const moving = movingOf(options, globals, `holdfast deploy rollback ${name}`, to);
      await withDeployments(region, async (deployments, signal) => {
        const [service] = await servicesOf(deployments, stage, name);
        const prepared = await prepareRollback(service, to, {
          ...{ deployments, acceptUnknownSchema: options.acceptUnknownSchema === true },
        });
        const moved = await move(prepared, { ...moving, deployments, signal });
        globals().output.result(moved, () => movedText(moved));
      });
    });
}

function addForward(deploy: Command, globals: Globals): void {
  deploy
    .command('forward')
    .argument('[service]', 'a service that was rolled back; default: all that were', parsePlainName)
    .description('go forward again to the tag from which a service was rolled back')
    .addOption(stageOption())
    .addOption(regionOption(''))
    .addOption(dryRunOption())
    .addOption(timeoutOption())
    .addOption(prometheusOption())
    .addOption(schemaOption())
    .action(async (name, options) => {
      const { stage, region } = options;
      const moving = movingOf(options, globals, `holdfast deploy forward${name ? ` ${name}` : ''}`);
      await withDeployments(region, async (deployments, signal) => {
        const moved: Moved[] = [];
        for (const service of await servicesOf(deployments, stage, name)) {
          const seen = await see(deployments, service);
          if (seen.record === undefined || !isGoneBack(seen)) continue;
          const prepared = await prepareForward(service, seen.record, {
            ...{ deployments, acceptUnknownSchema: options.acceptUnknownSchema === true },
          });
          moved.push(await move(prepared, { ...moving, deployments, signal }));
        }
        if (moved.length === 0) throw nothingRolledBack(name);
        globals().output.result({ services: moved }, () => moved.map(movedText).join('\n\n'));
      });
    });
}

function nothingRolledBack(name: string | undefined): HoldfastError {
  const message = `${name ?? 'No service of the stage'} ${name === undefined ? 'was' : 'was not'} rolled back, or it was deployed since.`;
  return new HoldfastError('FAILED_PRECONDITION', 'CONFLICT', message, {
    help: '`holdfast deploy status` shows what runs. A new tag is deployed by its release: `cdk deploy`.',
  });
}

interface MovingFlags {
  readonly dryRun?: true | undefined;
  readonly timeout: number;
  readonly prometheus?: string | undefined;
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
  readonly acceptUnknownSchema?: true | undefined;
}

function movingOf(
  { dryRun, timeout, prometheus, stage, region, acceptUnknownSchema }: MovingFlags,
  globals: Globals,
  command: string,
  to?: string,
): Omit<MoveOptions, 'deployments' | 'signal'> {
  // The environment may name another stage or region by the time that a printed command is run.
  const where = [stage && ` --stage ${stage}`, region && ` --region ${region}`].filter(Boolean).join('');
  const named = to === undefined ? '' : ` --to ${to}`;
  const again = `${command}${named}${where}${acceptUnknownSchema === true ? ' --accept-unknown-schema' : ''}`;
  const { output } = globals();
  return {
    ...{ clock: systemClock(), timeoutMs: timeout, pollMs, dryRun: dryRun === true, again, where },
    prometheus: prometheusOf(process.env, prometheus),
    note: (line) => output.note(line),
  };
}

/** Runs `use` with the clients of AWS. Ctrl-C ends it between two steps; a second one ends the process. */
async function withDeployments(
  region: string | undefined,
  use: (deployments: Deployments, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  // The clients of AWS are loaded only here, since they are optional.
  const { openDeployments } = await import('./aws/deployments.ts');
  const deployments = await openDeployments(region || undefined, systemClock());
  process.once('SIGINT', stop);
  try {
    await use(deployments, interrupted.signal);
  } finally {
    process.off('SIGINT', stop);
    deployments.close();
  }
}
