/**
 * `npm run bench:telemetry` measures the cost of telemetry through the SDK: nothing exported, everything exported but no
 * trace sampled, and a trace of a hundred sampled. `--against REF` measures an older commit too, without telemetry. The
 * modes take turns for `--rounds N` rounds. Prints the medians, their spread, and each ratio beside its target; nothing
 * fails by a speed. `--json` prints one object.
 */
import { cpSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cpus } from 'node:os';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { checkOut, output } from '../checkout.ts';
import { median } from '../report.ts';

interface Mode {
  readonly name: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
}
interface Rates {
  readonly submit: number;
  readonly process: number;
}
interface Ratio {
  readonly name: string;
  readonly of: string;
  readonly to: string;
  readonly target: number;
}

const options = programOptions('bench:telemetry', { json: false, against: '', rounds: 5 });

/** A collector that accepts every request and drops its body, so that it costs the measured processes next to nothing. */
const collector = createServer((request, response) => {
  request
    .resume()
    .once('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));

const exporting = (share: string): Mode['env'] => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: share,
  OTEL_METRIC_EXPORT_INTERVAL: '1000',
});

async function modesOf(ref: string): Promise<Mode[]> {
  const folder = process.cwd();
  const modes = [
    { name: 'off', folder, env: {} },
    { name: 'on, none sampled', folder, env: exporting('0') },
    { name: 'on, 1 % sampled', folder, env: exporting('0.01') },
  ];
  if (ref === '') return modes;
  const there = await checkOut(ref);
  cpSync(import.meta.dirname, `${there}/bench/telemetry`, { recursive: true });
  return [{ name: 'before', folder: there, env: {} }, ...modes];
}

const ratios: readonly Ratio[] = [
  { name: 'telemetry off, beside the older commit', of: 'off', to: 'before', target: 0.97 },
  { name: 'on, no trace sampled, beside off', of: 'on, none sampled', to: 'off', target: 0.93 },
  { name: 'on, 1 % sampled, beside off', of: 'on, 1 % sampled', to: 'off', target: 0.9 },
];

const modes = await modesOf(options.against);
const measured = new Map<string, Rates[]>(modes.map(({ name }) => [name, []]));
for (let round = 0; round < options.rounds; round++) {
  // Each round begins with another mode, so that a machine that slows down affects all alike.
  const order = modes.map((_, i) => modes[(i + round) % modes.length] as Mode);
  for (const { name, folder, env } of order) {
    const rates = JSON.parse(
      await output(folder, 'npx', ['node', 'bench/telemetry/measure.ts'], env),
    ) as Rates;
    measured.get(name)?.push(rates);
    if (options.json) continue;
    console.log(
      `round ${round + 1}: ${name.padEnd(18)} submit ${rates.submit.toFixed(0)}/s, process ${rates.process.toFixed(0)}/s`,
    );
  }
}

const kinds = ['submit', 'process'] as const;
const ratesOf = (name: string, kind: keyof Rates): number[] =>
  (measured.get(name) ?? []).map((one) => one[kind]);
const spreadOf = (rates: readonly number[]): number =>
  (Math.max(...rates) - Math.min(...rates)) / median(rates);
const rows = ratios
  .filter(({ to }) => measured.has(to))
  .flatMap(({ name, of, to, target }) =>
    kinds.map((kind) => {
      const [ours, theirs] = [ratesOf(of, kind), ratesOf(to, kind)];
      const ratio = median(ours) / median(theirs);
      const spread = Math.max(spreadOf(ours), spreadOf(theirs));
      return { row: name, kind, value: median(ours), base: median(theirs), ratio, spread, target };
    }),
  );
if (options.json)
  console.log(JSON.stringify({ machine: `${cpus().length} × ${cpus()[0]?.model ?? ''}`, rows }));
else {
  for (const { row, kind, value, base, ratio, spread, target } of rows)
    console.log(
      `${row.padEnd(40)} ${kind.padEnd(8)} ${value.toFixed(0).padStart(7)}/s beside ${base.toFixed(0).padStart(7)}/s: ` +
        `${ratio.toFixed(3)} (target ${target}, spread ${(spread * 100).toFixed(1)} %)`,
    );
}
process.exit(0);
