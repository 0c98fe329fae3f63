import { Command, CommanderError, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { asHoldfastError, type HoldfastError } from '../core/errors.ts';
import { packageVersion } from '../platform/version.ts';
import { exitCodeOf, exitCodes, usage } from './exit-codes.ts';
import type { Globals } from './globals.ts';
import { createOutput } from './output.ts';
import { addAws } from './verbs/aws.ts';
import { addCancel } from './verbs/cancel.ts';
import { addCerts } from './verbs/certs.ts';
import { addDev } from './verbs/dev.ts';
import { addDlq } from './verbs/dlq.ts';
import { addList } from './verbs/list.ts';
import { addRetry } from './verbs/retry.ts';
import { addServe } from './verbs/serve.ts';
import { addShow } from './verbs/show.ts';
import { addSubmit } from './verbs/submit.ts';
import { addVersion } from './verbs/version.ts';
import { addWorker } from './verbs/worker.ts';

function build(): { program: Command; globals: Globals } {
  const base = new Command('holdfast')
    .description('A durable task queue: accepted once, run until done, explained afterwards.')
    .version(packageVersion())
    .option('--json', 'print one JSON value')
    .option('--url <url>', 'holdfast://host:port; default: HOLDFAST_URL, else what `holdfast dev` wrote')
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError()
    .exitOverride();
  const program = base as unknown as Command;
  const globals: Globals = () => {
    const { json, url } = base.opts();
    return { url, output: createOutput(json === true) };
  };
  for (const add of [
    addDev,
    addServe,
    addWorker,
    addSubmit,
    addShow,
    addList,
    addCancel,
    addRetry,
    addCerts,
    addAws,
    addDlq,
    addVersion,
  ]) {
    add(program, globals);
  }
  for (const verb of program.commands) tellOurWay(verb);
  tellOurWay(program);
  return { program, globals };
}

/** Slips are thrown and told by us, so that `--json` holds for them too. */
function tellOurWay(command: CommandUnknownOpts): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError() {} });
  for (const below of command.commands) tellOurWay(below);
}

/** In commander's words, with its suggestion as the help. */
function slip(program: Command, { message }: CommanderError, argv: readonly string[]): HoldfastError {
  const [told = '', suggestion] = message.replace(/^error: /, '').split('\n');
  const help = suggestion?.replace(/^\((.*)\)$/, '$1') ?? `See \`${verbOf(program, argv)} --help\`.`;
  return usage(`${told.charAt(0).toUpperCase()}${told.slice(1).replace(/\.?$/, '.')}`, help);
}

/** `holdfast certs issue`: as far as the words name verbs. */
function verbOf(program: Command, argv: readonly string[]): string {
  let command: CommandUnknownOpts = program;
  const named = ['holdfast'];
  for (const word of hoist(argv)) {
    const below: CommandUnknownOpts | undefined = command.commands.find((one) => one.name() === word);
    if (below === undefined) continue;
    command = below;
    named.push(word);
  }
  return named.join(' ');
}

/** Runs one command line; the answer is the exit status. */
export async function run(argv: readonly string[]): Promise<number> {
  const { program, globals } = build();
  try {
    // `--json` and `--url` are understood before and after the verb.
    await program.parseAsync(hoist(argv), { from: 'user' });
    return exitCodes.ok;
  } catch (thrown) {
    const isHelp = thrown instanceof CommanderError && /^commander\.(help|version)/.test(thrown.code);
    if (isHelp) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const error = thrown instanceof CommanderError ? slip(program, thrown, argv) : asHoldfastError(thrown);
    const { output } = globals();
    output.failure(error);
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
