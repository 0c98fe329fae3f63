/** The options of this repository's own programs, as `npm run races -- --races 100` gives them. */
import { parseArgs } from 'node:util';

type Options = Readonly<Record<string, number | string | boolean>>;

/** What a default is says what its option takes. */
type Values<T extends Options> = {
  readonly [Name in keyof T]: T[Name] extends number ? number : T[Name] extends string ? string : boolean;
};

/**
 * Reads the command line by the defaults: a number is an option that takes a whole number, a text one that takes a
 * text, `false` a flag; NaN is a whole number without a default; `limitS` is written `--limit-s`. Does not return for `--help` (status 0) nor for a slip (status
 * 2): either is one line that says how the script is used.
 */
export function programOptions<T extends Options>(script: string, defaults: T): Values<T> {
  const usage = usageOf(script, defaults);
  try {
    const values = read(defaults);
    if (values !== 'help') return values as Values<T>;
  } catch (slip) {
    // Node's advice for positional arguments, in the sentences after the first, does not help here.
    const [told] = (slip as Error).message.split(/\.\s|\n/);
    console.error(`${told}; ${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

const flagOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function usageOf(script: string, defaults: Options): string {
  const options = Object.entries(defaults).map(([name, value]) => {
    return ` [--${flagOf(name)}${exampleOf(value)}]`;
  });
  return `usage: npm run ${script}${options.length === 0 ? '' : ` --${options.join('')}`}`;
}

function exampleOf(value: number | string | boolean): string {
  if (value === false) return '';
  if (value === '') return ' TEXT';
  return Number.isNaN(value) ? ' N' : ` ${value}`;
}

function read(defaults: Options): Record<string, number | string | boolean> | 'help' {
  const kinds = Object.entries(defaults).map(([name, value]) => {
    const type = typeof value === 'boolean' ? ('boolean' as const) : ('string' as const);
    return [flagOf(name), { type }] as const;
  });
  const { values } = parseArgs({ options: { ...Object.fromEntries(kinds), help: { type: 'boolean' } } });
  if (values.help === true) return 'help';
  const given: Readonly<Record<string, unknown>> = values;
  return Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, taken(flagOf(name), given[flagOf(name)], value)]),
  );
}

function taken(
  flag: string,
  given: unknown,
  byDefault: number | string | boolean,
): number | string | boolean {
  if (given === undefined) return byDefault;
  if (typeof byDefault !== 'number') return given as string | boolean;
  if (!/^\d+$/.test(String(given))) throw new Error(`'--${flag}' takes a whole number, not '${given}'`);
  return Number(given);
}
