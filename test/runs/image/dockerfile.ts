/**
 * A strict reader of `deploy/image/Dockerfile`. It knows the few forms of instructions that stand there and refuses every
 * other, so that nothing in the file is left out when its instructions are executed in folders.
 */

export type Instruction =
  | { readonly kind: 'arg'; readonly name: string; readonly value: string | undefined }
  | { readonly kind: 'env' | 'label'; readonly name: string; readonly value: string }
  | { readonly kind: 'workdir' | 'user' | 'expose' | 'stopsignal'; readonly value: string }
  | { readonly kind: 'run' | 'entrypoint'; readonly argv: readonly string[] }
  | {
      readonly kind: 'healthcheck';
      readonly options: Readonly<Record<string, string>>;
      readonly argv: readonly string[];
    }
  | {
      readonly kind: 'copy';
      /** The stage to copy from; undefined for the context. */
      readonly from: string | undefined;
      readonly sources: readonly string[];
      readonly target: string;
    };

export interface Stage {
  /** Undefined for a stage without a name. */
  readonly name: string | undefined;
  /** The base image, with its variables. */
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  /** The build arguments before the first stage, which only the base images may use. */
  readonly args: readonly string[];
  readonly stages: readonly Stage[];
}

export function parseDockerfile(text: string): Dockerfile {
  const args: string[] = [];
  const stages: { name: string | undefined; base: string; instructions: Instruction[] }[] = [];
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    if (line.endsWith('\\')) throw refused(line);
    const [word = '', rest = ''] = split(line);
    const stage = stages.at(-1);
    if (word === 'FROM') {
      const [, base = '', name] = /^(?:--platform=\$BUILDPLATFORM )?(.+?)(?: AS (\w+))?$/.exec(rest) ?? [];
      stages.push({ name, base, instructions: [] });
    } else if (stage !== undefined) stage.instructions.push(instructionOf(word, rest, line));
    else if (word === 'ARG' && /^\w+$/.test(rest)) args.push(rest);
    else throw refused(line);
  }
  return { args, stages };
}

function split(line: string): [string, string] {
  const at = line.indexOf(' ');
  return [line.slice(0, at), line.slice(at + 1).trim()];
}

function refused(line: string): Error {
  return new Error(`the Dockerfile has a line that test/runs/image/dockerfile.ts does not know: ${line}`);
}

function argvOf(text: string, line: string): string[] {
  if (!text.startsWith('[')) throw refused(line);
  return JSON.parse(text) as string[];
}

function instructionOf(word: string, rest: string, line: string): Instruction {
  switch (word) {
    case 'ARG': {
      const [, name = '', value] = /^(\w+)(?:=(\S+))?$/.exec(rest) ?? [];
      return { kind: 'arg', name, value };
    }
    case 'ENV':
    case 'LABEL': {
      const [, name, value] = /^([\w.-]+)="([^"]*)"$/.exec(rest) ?? [];
      if (name === undefined || value === undefined) throw refused(line);
      return { kind: word === 'ENV' ? 'env' : 'label', name, value };
    }
    case 'WORKDIR':
      return { kind: 'workdir', value: rest };
    case 'USER':
      return { kind: 'user', value: rest };
    case 'EXPOSE':
      return { kind: 'expose', value: rest };
    case 'STOPSIGNAL':
      return { kind: 'stopsignal', value: rest };
    case 'RUN':
      return { kind: 'run', argv: argvOf(rest, line) };
    case 'ENTRYPOINT':
      return { kind: 'entrypoint', argv: argvOf(rest, line) };
    case 'HEALTHCHECK': {
      const [options = '', command = ''] = rest.split(' CMD ');
      const pairs = options.split(' ').map((option) => /^--([\w-]+)=(\w+)$/.exec(option)?.slice(1));
      if (pairs.some((pair) => pair === undefined)) throw refused(line);
      return {
        kind: 'healthcheck',
        options: Object.fromEntries(pairs as [string, string][]),
        argv: argvOf(command, line),
      };
    }
    case 'COPY': {
      const words = rest.split(/ +/);
      const from = /^--from=(\w+)$/.exec(words[0] ?? '')?.[1];
      const paths = from === undefined ? words : words.slice(1);
      const target = paths.pop();
      if (target === undefined || paths.length === 0 || paths.some((path) => /^--|[*?[]/.test(path)))
        throw refused(line);
      return { kind: 'copy', from, sources: paths, target };
    }
    default:
      throw refused(line);
  }
}

/**
 * Replaces the variables of a text.
 *
 * @throws Error if a variable of the form `${NAME:?sentence}` has no value, with its sentence.
 */
export function expand(text: string, values: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    /\$\{(\w+)(?::\?([^}]*))?\}|\$(\w+)/g,
    (_, braced?: string, sentence?: string, bare?: string) => {
      const name = braced ?? bare ?? '';
      const value = values[name] ?? '';
      if (value === '' && sentence !== undefined) throw new Error(`${name}: ${sentence}`);
      return value;
    },
  );
}
