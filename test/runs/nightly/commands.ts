/**
 * The commands of this repository that prove something, in the order in which `npm run nightly` runs them. A new script of package.json
 * gets a row here and one in test/README.md, or a reason in `otherScripts`: commands.spec.ts compares the three.
 */

export interface NightlyCommand {
  /** The name for `--from` and `--only`. */
  readonly name: string;
  /** The script of package.json. */
  readonly script: string;
  readonly args: readonly string[];
  readonly proves: string;
  /** The minutes that it takes on two cores with nothing else running. */
  readonly minutes: number;
  /** True if other load on the machine may make it fail, since it judges lengths of time. */
  readonly needsMachineAlone: boolean;
}

interface Options {
  readonly args?: readonly string[];
  /** Default: the script's name. */
  readonly name?: string;
  readonly needsMachineAlone?: true;
}

function command(script: string, minutes: number, proves: string, options: Options = {}): NightlyCommand {
  const { args = [], name = script, needsMachineAlone = false } = options;
  return { name, script, args, proves, minutes, needsMachineAlone };
}

const alone = { needsMachineAlone: true } as const;

export const nightlyCommands: readonly NightlyCommand[] = [
  command('verify', 12, 'all that CI checks, with all specs'),
  command('test:sqs', 1, 'the broker on two stand-ins of SQS'),
  command('sim', 12, 'whole worlds on virtual time keep every promise', { args: ['--seeds', '2000'] }),
  command('sim', 6, 'the simulation notices a Holdfast that is wrong on purpose', {
    args: ['--mutants'],
    name: 'sim:mutants',
  }),
  command('crash', 2, 'nothing acknowledged is lost when a server is killed'),
  command('crashpoints', 4.5, 'a task recovers from a crash at every request to the table and its queues'),
  command('races', 0.7, 'one winner when two workers claim one task'),
  command('lanes', 5, 'order within lanes while processes are killed'),
  command('deploys', 8, 'no task is lost or doubled by restarts and rolled workers', alone),
  command('alb', 1.7, 'no lease and no task is lost behind a load balancer'),
  command('rolling', 6, 'two versions on one store lose no task, no lease and no order'),
  command('iam', 4, 'the policies allow what each process calls, and nothing more'),
  command('image:check', 3, 'the image runs as it is built, without root and without a place to write'),
  command('rollback', 0.5, 'a deployment is taken back from every state of its rollout'),
  command('cdk:deploy-local', 2, 'the templates deploy, run the demo, and are rolled back'),
  command('capacity', 0.1, 'the plan of a load names its first limit', { args: ['--rate', '500'] }),
  command('chaos', 15, 'nothing acknowledged is lost under 13 kinds of faults'),
  command('test:telemetry', 1, 'no span is lost between processes'),
  command('test:languages', 1.5, 'a worker and a submitter in Python keep the rules of the API'),
  command('test:backends', 0.5, 'a task is found again in real back ends of telemetry'),
  command('overload', 2, 'nothing is lost while the table is cut to a third of its capacity', alone),
  command('hog', 12, 'no client keeps the calls of another one from an answer', alone),
  command('fuzz', 3.5, 'no message ends a server or changes another identity’s tasks'),
  command('alerts', 1.5, 'every alert fires, does not fire and resolves as it should'),
  command('drill', 5, 'alerts and runbooks lead to each of ten causes', { args: ['--all-causes'], ...alone }),
  command('review', 12, 'the nine questions of docs/review.md are answered by running', alone),
  command('demo', 0.5, '329 real webhooks are delivered once each'),
  command('demo:aws', 0.8, 'the same on AWS’s stand-ins'),
  command('cdk:synth', 0.3, 'cdk-nag finds nothing without a justification'),
  command('bench', 3, 'the measurement of the speed runs to its end; it judges no speed', alone),
  command('bench:peers', 5, 'the comparison with other task queues runs to its end; it judges no speed', {
    args: ['--rounds', '1', '--tasks', '5000'],
    ...alone,
  }),
  command('bench:cost', 0.7, 'the measurement of the costs on AWS runs to its end'),
];

/** The scripts that are no proof of their own, each with the reason. */
export const otherScripts: Readonly<Record<string, string>> = {
  layers: 'writes a file that `npm run lint` compares',
  rules: 'writes files that `npm test` compares',
  dashboards: 'writes files that `npm test` compares',
  'docs:metrics': 'writes a page that `npm test` compares',
  'docs:policies': 'writes a page that `npm test` compares',
  'docs:capacity': 'writes a page that `npm test` compares',
  'bench:cpu': 'measures what `npm run capacity` counts with, and judges nothing',
  smoke: 'needs a deployment; `npm test` runs it against a local server',
  sbom: 'lists the packages of a release',
  format: 'changes the tree',
  'proto:baseline': 'writes the API of a release',
  'proto:gen': 'writes code that `npm run proto:check` compares',
  'cdk:test': 'a part of `npm test`',
  'bench:keys': 'compares two kinds of keys, and judges nothing',
  'bench:telemetry': 'compares two commits, and judges nothing',
  'stand-ins': 'runs until it is stopped',
  version: 'writes a constant that `npm test` compares',
  prepare: 'is `npm run build`',
  nightly: 'is this list',
};
