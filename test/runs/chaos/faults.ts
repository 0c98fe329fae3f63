/** Does the faults of a run. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import type { Server } from '../deploys/server.ts';
import type { Deployment } from './deployment.ts';
import type { Guard } from './guard.ts';
import type { Link } from './link.ts';
import type { Seat } from './places.ts';
import type { PlannedFault } from './schedule.ts';

/** The drain of a worker, the second in which aborted handlers may stop, and room for a busy machine. */
export const workerGraceMs = 16_000;
/** The time after which a server uses certificate files that were replaced. */
const reloadMs = 2_500;
const swallowMs = { least: 100, most: 900 } as const;
const delayMs = { least: 100, most: 1_200 } as const;
const startMs = 20_000;
const restartMs = 1_000;

export interface FaultParts {
  readonly deployment: Deployment;
  readonly workers: readonly Seat[];
  readonly guard: Guard;
  readonly problem: (text: string) => void;
}

export class Faults {
  readonly #parts: FaultParts;
  readonly #stoppedServers = new Set<Server>();
  readonly #starting = new Set<Server>();
  #isDiskFull = false;
  readonly #offsets = new Map<string, number>();

  constructor(parts: FaultParts) {
    this.#parts = parts;
  }

  /** Does a fault. Returns what it does to whom at once, and when it is over. */
  do(fault: PlannedFault): { readonly text: string; readonly done: Promise<void> } {
    const { kind, pick, lengthMs, offsetMs } = fault;
    const { deployment, workers } = this.#parts;
    const ms = `${lengthMs} ms`;
    const server = chosen(
      deployment.servers.filter((one) => !this.#stoppedServers.has(one)),
      deployment.servers,
      pick,
    );
    const going = workers.filter(({ isStopped }) => !isStopped);
    const worker = chosen(going, workers, pick);
    const links = share(deployment.links, pick);
    switch (kind) {
      case 'killServer':
        return {
          text: `kill ${server.setup.name}, back after ${ms}`,
          done: this.#killServer(server, lengthMs),
        };
      case 'killWorker':
        return { text: `kill ${worker.place.name}, back after ${ms}`, done: worker.kill(lengthMs) };
      case 'stopServer':
        return { text: `${server.setup.name} stands still for ${ms}`, done: this.#freeze(server, lengthMs) };
      case 'stopWorker':
        return { text: `${worker.place.name} stands still for ${ms}`, done: worker.freeze(lengthMs) };
      case 'cut':
        return {
          text: `cut ${links.length} links for ${ms}`,
          done: during(links, lengthMs, (one) => one.cut()),
        };
      case 'delay': {
        const byMs = Math.round(delayMs.least + (delayMs.most - delayMs.least) * pick);
        const done = during(links, lengthMs, (one) => one.delay(byMs));
        return { text: `delay ${links.length} links by ${byMs} ms for ${ms}`, done };
      }
      case 'loseAnswers': {
        const done = this.#loseAnswers(lengthMs, pick);
        return { text: `lose the answers on all links, again and again for ${ms}`, done };
      }
      case 'rotateCertificates':
        return { text: 'replace the certificates of server and clients', done: this.#rotate() };
      case 'rollServers':
        return { text: 'restart the servers in turn', done: this.#rollServers(lengthMs) };
      case 'rollWorkers':
        return { text: 'restart the workers in turn', done: this.#rollWorkers() };
      case 'stepServerClock':
        return this.#step(server.setup.name, offsetMs);
      case 'stepWorkerClock': {
        const { name } = chosen(
          workers.filter(({ place }) => place.hasClock),
          workers,
          pick,
        ).place;
        return this.#step(name, offsetMs);
      }
      case 'fillDisk':
        return { text: `fill the disk for ${ms}`, done: this.#fillDisk(lengthMs) };
    }
  }

  async #killServer(server: Server, downMs: number): Promise<void> {
    if (this.#starting.has(server)) return;
    await server.kill();
    await sleep(downMs);
    await this.#start(server);
  }

  /** Starts a server, again and again as a supervisor does, because it may not start while the disk is full. */
  async #start(server: Server): Promise<void> {
    this.#starting.add(server);
    const untilMs = performance.now() + startMs;
    for (;;) {
      const { endedByItself } = server;
      try {
        await server.start();
        break;
      } catch (thrown) {
        await server.kill();
        // A failed start is not counted as an end.
        server.endedByItself = endedByItself;
        if (!this.#isDiskFull) this.#parts.problem(`did not start: ${(thrown as Error).message}`);
        if (performance.now() > untilMs) break;
        await sleep(restartMs);
      }
    }
    this.#starting.delete(server);
  }

  /** Starts servers again that ended by themselves, and notes it as a problem. */
  async superviseServers(signal: AbortSignal): Promise<void> {
    const noted = new Map<Server, number>();
    while (!signal.aborted) {
      await sleep(restartMs / 2);
      for (const server of this.#parts.deployment.servers) {
        const { endedByItself, setup } = server;
        if (this.#starting.has(server) || endedByItself === (noted.get(server) ?? 0)) continue;
        noted.set(server, endedByItself);
        this.#parts.problem(`${setup.name} ended by itself`);
        await this.#start(server);
      }
    }
  }

  async #freeze(server: Server, ms: number): Promise<void> {
    const { pid } = server;
    this.#stoppedServers.add(server);
    this.#parts.guard.send({ kind: 'stop', pid });
    await sleep(ms);
    this.#parts.guard.send({ kind: 'go', pid });
    this.#stoppedServers.delete(server);
  }

  /** Swallows the answers of all links for a short time, then resets the connections, until the time is over. */
  async #loseAnswers(ms: number, pick: number): Promise<void> {
    const untilMs = performance.now() + ms;
    for (let part = pick; performance.now() < untilMs; part = (part + 0.37) % 1) {
      for (const link of this.#parts.deployment.links) link.swallow();
      await sleep(swallowMs.least + (swallowMs.most - swallowMs.least) * part);
      for (const link of this.#parts.deployment.links) link.heal();
      await sleep(swallowMs.least + (swallowMs.most - swallowMs.least) * part);
    }
  }

  /** Replaces the certificates, resets all connections, and checks that each server shows the new one. */
  async #rotate(): Promise<void> {
    const { deployment, problem } = this.#parts;
    await deployment.rotate();
    await sleep(reloadMs);
    for (const link of deployment.links) link.reset();
    const wanted = new X509Certificate(readFileSync(deployment.serverCertificate)).fingerprint256;
    for (const server of deployment.servers) {
      if (this.#stoppedServers.has(server) || this.#starting.has(server)) continue;
      const shown = await shownFingerprint(server.setup.port, deployment.tls);
      if (shown !== wanted) problem(`${server.setup.name} does not show its new certificate (${shown})`);
    }
  }

  async #rollServers(pauseMs: number): Promise<void> {
    const { deployment, problem } = this.#parts;
    for (const server of deployment.servers) {
      if (this.#stoppedServers.has(server) || this.#starting.has(server)) continue;
      const { ms, inTime } = await server.stop();
      if (!inTime) problem(`${server.setup.name} was killed, ${Math.round(ms)} ms after SIGTERM`);
      else if (server.status !== 0) problem(`${server.setup.name} ended at SIGTERM with ${server.status}`);
      await this.#start(server);
      await sleep(pauseMs / deployment.servers.length);
    }
  }

  async #rollWorkers(): Promise<void> {
    for (const seat of this.#parts.workers) {
      if (seat.isStopped) continue;
      const fault = await seat.stop(workerGraceMs);
      if (fault !== undefined) this.#parts.problem(fault);
      await seat.start();
    }
  }

  #step(name: string, offsetMs: number) {
    const { clocks } = this.#parts.deployment;
    const before = this.#offsets.get(name) ?? 0;
    this.#offsets.set(name, offsetMs);
    if (typeof clocks !== 'string') clocks.set(name, offsetMs);
    return {
      text: `step the clock of ${name} by ${offsetMs - before} ms, to ${offsetMs} ms`,
      done: Promise.resolve(),
    };
  }

  async #fillDisk(ms: number): Promise<void> {
    const { disk } = this.#parts.deployment;
    if (typeof disk === 'string') return;
    this.#isDiskFull = true;
    // The server frees its ballast when the disk is full: that space is filled too, later.
    const untilMs = performance.now() + ms;
    for (disk.fill(); performance.now() < untilMs; disk.fill()) await sleep(ms / 4);
    disk.empty();
    this.#isDiskFull = false;
  }

  /** Sets all clocks right. */
  setClocksRight(): void {
    for (const name of this.#offsets.keys()) this.#step(name, 0);
  }
}

/** Returns one of the items, or of all if there is none. */
function chosen<T>(items: readonly T[], all: readonly T[], pick: number): T {
  const from = items.length > 0 ? items : all;
  return from[Math.floor(pick * from.length)] as T;
}

/** Returns between one and all of the items, beginning at a random one. */
function share<T>(items: readonly T[], pick: number): T[] {
  const first = Math.floor(pick * items.length);
  const count = 1 + Math.floor(((pick * 7) % 1) * items.length);
  return [...items.slice(first), ...items.slice(0, first)].slice(0, count);
}

async function during(links: readonly Link[], ms: number, begin: (link: Link) => void): Promise<void> {
  for (const link of links) begin(link);
  await sleep(ms);
  for (const link of links) link.heal();
}

/** Returns the fingerprint of the certificate that a server shows, or the error of the handshake. */
function shownFingerprint(port: number, tls: Deployment['tls']): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(tls.ca), ALPNProtocols: ['h2'] });
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.destroy();
    });
    socket.once('error', (error) => resolve(error.message));
    socket.setTimeout(5_000, () => socket.destroy(new Error('no handshake within 5 s')));
  });
}
