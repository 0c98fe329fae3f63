/** Fuzzes a server on one engine for some seconds, by both clients, beside the probes. */
import { deploy, type EngineName } from './deployment.ts';
import { findingText } from './findings.ts';
import { Fuzzer } from './fuzzer.ts';
import { Probes } from './probes.ts';
import { PythonFuzzer } from './python-client.ts';

export interface RunOptions {
  readonly engine: EngineName;
  readonly seconds: number;
  readonly seed: number;
  /** The only case to send, without Python and probes; NaN: all cases. */
  readonly onlyCase: number;
  readonly print: (line: string) => void;
}

export interface RunResult {
  readonly messages: number;
  readonly crashes: number;
  readonly slowestProbeMs: number;
  readonly peakMb: number;
}

const lanes = 24;
const mostPrintedLines = 20;

export async function fuzz({ engine, seconds, seed, onlyCase, print }: RunOptions): Promise<RunResult> {
  let crashes = 0;
  const crash = (text: string): void => {
    crashes++;
    print(`CRASH ${text}`);
  };
  const { server, target, canary, close } = await deploy(engine, seed);
  try {
    const fuzzer = await Fuzzer.create(target, (finding) => print(`CRASH ${findingText(finding)}`));
    if (!Number.isNaN(onlyCase)) {
      await fuzzer.run({ seed, from: onlyCase, until: onlyCase + 1, lanes: 1 });
      await fuzzer.close();
      return { messages: fuzzer.messages, crashes: fuzzer.findings.count, slowestProbeMs: 0, peakMb: 0 };
    }
    const { address, httpAddress } = target;
    const probes = await Probes.start({ address, httpAddress, tls: canary }, crash);
    const python = new PythonFuzzer(target, seed, seconds, ({ text, problem }) => crash(text || problem));
    const untilMs = performance.now() + seconds * 1_000;
    await fuzzer.run({ seed, lanes, goOn: () => performance.now() < untilMs && server.isRunning });
    await python.ended();
    await probes.stop();
    await fuzzer.close();
    const peakMb = server.peakMb();
    if (server.endedByItself !== undefined) crash(server.endedByItself);
    for (const line of server.errorLines.slice(0, mostPrintedLines))
      print(`CRASH the server logged: ${line}`);
    for (const [kind, count] of fuzzer.findings.kinds) print(`${count} times: ${kind}`);
    print(
      `${engine}: ${fuzzer.messages} messages, ${python.messages} more by Python, ${probes.count} probes, ` +
        `${probes.canaries} canaries compared, the slowest step was ${probes.slowestStep}`,
    );
    return {
      messages: fuzzer.messages + python.messages,
      crashes: crashes + fuzzer.findings.count + server.errorLines.length,
      slowestProbeMs: Math.round(probes.slowestMs),
      peakMb: Math.round(peakMb),
    };
  } finally {
    await close();
  }
}
