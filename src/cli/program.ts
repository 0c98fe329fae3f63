import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import { packageVersion } from '../platform/version.ts';
import { addCanary } from './canary/canary.ts';
import { addServerFlags, tlsFlags } from './connection/server-flags.ts';
import { addDeploy } from './deploy/deploy.ts';
import { exitCodeOf, exitCodes, usage } from './exit-codes.ts';
import { addTrouble } from './explain/trouble.ts';
import { addWhy } from './explain/why.ts';
import type { Globals } from './globals.ts';
import { addHealth } from './health/health.ts';
import { createOutput, type Output } from './output.ts';
import { addSlo } from './slo/slo.ts';
import { addAws } from './verbs/aws.ts';
import { addCerts } from './verbs/certs.ts';
import { addCheck } from './verbs/check.ts';
import { addDev } from './verbs/dev.ts';
import { addDoctor } from './verbs/doctor.ts';
import { addInit } from './verbs/init.ts';
import { addDlq } from './verbs/queues/dlq.ts';
import { addQueues } from './verbs/queues/queues.ts';
import { addStats } from './verbs/queues/stats.ts';
import { addWorkers } from './verbs/queues/workers.ts';
import { addServe } from './verbs/serve.ts';
import { addCancel } from './verbs/tasks/cancel.ts';
import { addList } from './verbs/tasks/list.ts';
import { isPrinted } from './verbs/tasks/many.ts';
import { addRedrive } from './verbs/tasks/redrive.ts';
import { addShow } from './verbs/tasks/show.ts';
import { addSubmit } from './verbs/tasks/submit.ts';
import { addWait } from './verbs/tasks/wait.ts';
import { addWatch } from './verbs/tasks/watch.ts';
import { addVersion } from './verbs/version.ts';
import { addWorker } from './verbs/worker.ts';

function build(): { program: Command; output: () => Output } {
  const base = new Command('holdfast')
    .description('A durable task queue: accepted once, run until done, explained afterwards.')
    .version(packageVersion)
    .option('--json', 'print the result, or the error, as one JSON value')
    .option(
      '--url <url>',
      'the server, holdfast://host:port; default: HOLDFAST_URL, else the server of `holdfast dev`',
    )
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  const program = base as unknown as Command;
  const output = (): Output => createOutput(base.opts().json === true);
  let running: CommandUnknownOpts | undefined;
  program.hook('preAction', (_program, command) => {
    running = command;
  });
  const globals: Globals = () => {
    return { server: { url: base.opts().url, tls: tlsFlags(running) }, output: output() };
  };
  for (const add of [
    addInit,
    addDev,
    addServe,
    addWorker,
    addSubmit,
    addShow,
    addWhy,
    addTrouble,
    addList,
    addWatch,
    addWait,
    addStats,
    addWorkers,
    addCancel,
    addRedrive,
    addQueues,
    addCerts,
    addCheck,
    addAws,
    addDlq,
    addDeploy,
    addSlo,
    addCanary,
    addHealth,
    addDoctor,
    addVersion,
  ]) {
    add(program, globals);
  }
  addServerFlags(program);
  for (const verb of program.commands) throwUsageErrors(verb);
  throwUsageErrors(program);
  return { program, output };
}

/** Makes commander throw usage errors instead of printing them, so that `--json` prints them as JSON. */
function throwUsageErrors(command: CommandUnknownOpts): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError() {} });
  for (const below of command.commands) throwUsageErrors(below);
}

/** The verbs of this command for words that users of River, SQS and Temporal know. */
const verbsOfOthers: Readonly<Record<string, string>> = {
  status: 'show <id>` or `holdfast why <id>',
  describe: 'show <id>` or `holdfast why <id>',
  get: 'show <id>',
  retry: 'redrive <id>',
  replay: 'redrive <id>',
  enqueue: 'submit <type>',
  insert: 'submit <type>',
  send: 'submit <type>',
  start: 'serve` or `holdfast worker <file>',
  delete: 'cancel <id>',
  terminate: 'cancel <id>',
  pause: 'queues pause <name>',
  resume: 'queues resume <name>',
  rollback: 'deploy rollback <service>',
  'worker-list': 'workers',
};

/** Converts an error of commander: its text becomes the message, and its suggestion becomes the help. */
function usageError(program: Command, { message }: CommanderError, argv: readonly string[]): HoldfastError {
  const [text = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const word = /^unknown command '([\w-]+)'/.exec(text)?.[1] ?? '';
  const verb = Object.hasOwn(verbsOfOthers, word) ? verbsOfOthers[word] : undefined;
  const meant = verb === undefined ? undefined : `Did you mean \`holdfast ${verb}\`?`;
  const help = meant ?? suggestion?.replace(/^\((.*)\)$/, '$1') ?? `See \`${verbOf(program, argv)} --help\`.`;
  return usage(`${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`, help);
}

/** Returns the verbs that the command line names, such as `holdfast certs issue`. */
function verbOf(program: Command, argv: readonly string[]): string {
  let command: CommandUnknownOpts = program;
  const verbs = ['holdfast'];
  for (const word of hoist(argv)) {
    const below: CommandUnknownOpts | undefined = command.commands.find((one) => one.name() === word);
    if (below === undefined) continue;
    command = below;
    verbs.push(word);
  }
  return verbs.join(' ');
}

/** Runs one command line and returns the exit status. */
export async function run(argv: readonly string[]): Promise<number> {
  const { program, output } = build();
  try {
    // The flags `--json` and `--url` may stand before or after the verb.
    await program.parseAsync(hoist(argv), { from: 'user' });
    return exitCodes.ok;
  } catch (thrown) {
    const isHelp = thrown instanceof CommanderError && /^commander\.(help|version)/.test(thrown.code);
    if (isHelp) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const error =
      thrown instanceof CommanderError ? usageError(program, thrown, argv) : asHoldfastError(thrown);
    if (!isPrinted(error)) output().failure(error);
    return exitCodeOf(error);
  }
}

function hoist(argv: readonly string[]): string[] {
  const front: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    if (word === '--') {
      rest.push(...argv.slice(i));
      break;
    }
    if (word === '--json' || word.startsWith('--url=')) front.push(word);
    else if (word === '--url' && argv[i + 1] !== undefined) front.push(word, argv[++i] as string);
    else rest.push(word);
  }
  return [...front, ...rest];
}
