/** The names that queries of lines and of traces may use: those that the code gives to lines, to spans and to processes. */
import { readFileSync } from 'node:fs';

const sourceOf = (path: string): string =>
  readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');

function namesIn(path: string, pattern: RegExp): readonly string[] {
  return [...sourceOf(path).matchAll(pattern)].map(([, name = '']) => name);
}

/** The names of Holdfast's processes, unless OTEL_SERVICE_NAME gives another one. */
export const serviceNames = namesIn('cli/start-telemetry.ts', /'(holdfast-[a-z]+)'/g);

/** The attributes of a process that Loki makes labels of a stream, as it writes them. */
export const streamLabels: ReadonlySet<string> = new Set([
  'service_name',
  'service_instance_id',
  'deployment_environment_name',
]);

/** Fields of single lines, each with the file that logs them. */
const ofSingleLines: Readonly<Record<string, string>> = {
  cause: 'runtime/unserved-log.ts',
  oldest: 'runtime/unserved-log.ts',
  traces: 'runtime/unserved-log.ts',
  loop: 'runtime/loop.ts',
  dependency: 'engines/aws/load/dependency.ts',
};

/** The fields of a line that OpenTelemetry has beside the attributes of the line. */
const ofRecords = ['severity_text', 'severity_number'];

/** The fields that a line may have, as Loki writes them. */
export const lineFields: ReadonlySet<string> = new Set([
  ...namesIn('ports/log.ts', /readonly (\w+)\?:/g),
  ...namesIn('ports/task-fields.ts', /^ {4}(\w+)[:,]/gm),
  ...Object.entries(ofSingleLines).flatMap(([field, path]) =>
    new RegExp(`[{,\\s]${field}[,:\\s]`).test(sourceOf(path)) ? [field] : [],
  ),
  ...ofRecords,
]);

export const knownAttributes: Readonly<Record<'span' | 'resource', ReadonlySet<string>>> = {
  span: new Set(namesIn('ports/trace-names.ts', /readonly '([a-z_.]+)'\?/g)),
  resource: new Set([
    'service.name',
    'service.version',
    'service.instance.id',
    'deployment.environment.name',
  ]),
};
