/** The places of the processes of `npm run rolling`, at each of which one version follows the other. */
import type { Place } from '../chaos/deployment.ts';
import type { Guard } from '../chaos/guard.ts';
import { Seat } from '../chaos/places.ts';
import type { RunProcess, Stop } from '../deploys/run-process.ts';
import { Server, type ServerSetup } from '../deploys/server.ts';
import { commandOf, type Version, type VersionName } from './versions.ts';

export type Versions = Readonly<Record<VersionName, Version>>;

/** A port at which a server of one version listens, and later one of another. */
export class ServerPlace {
  readonly name: string;
  readonly port: number;
  readonly #servers: Readonly<Record<VersionName, Server>>;
  version: VersionName = 'old';

  constructor(setup: Omit<ServerSetup, 'command'>, versions: Versions) {
    this.name = setup.name;
    this.port = setup.port;
    const of = (version: Version): Server => new Server({ ...setup, command: commandOf(version) });
    this.#servers = { old: of(versions.old), new: of(versions.new) };
  }

  get #current(): Server {
    return this.#servers[this.version];
  }

  get endedByItself(): number {
    return this.#servers.old.endedByItself + this.#servers.new.endedByItself;
  }

  start(): Promise<void> {
    return this.#current.start();
  }

  /** Starts a server of this version that is to refuse its store. Returns its error, or undefined if it serves. */
  refusal(): Promise<string | undefined> {
    return this.#current.refusal();
  }

  /** Stops the server by SIGTERM. */
  stop(): Promise<Stop> {
    return this.#current.stop();
  }

  kill(): Promise<void> {
    return this.#current.kill();
  }
}

/** A process that works or submits; it has the name of its version in its ledger. */
export class ClientPlace {
  readonly name: string;
  readonly #seat: Seat;
  version: VersionName;

  constructor(
    name: string,
    version: VersionName,
    guard: Guard,
    launch: (name: string, version: VersionName) => RunProcess,
  ) {
    this.name = name;
    this.version = version;
    const place: Place = {
      ...{ name, hasClock: false },
      launch: () => launch(`${name}-${this.version}`, this.version),
    };
    this.#seat = new Seat(place, guard);
  }

  get endedByItself(): number {
    return this.#seat.endedByItself;
  }

  start(): Promise<void> {
    return this.#seat.start();
  }

  /** Returns a sentence if the process did not end in order. */
  stop(graceMs: number): Promise<string | undefined> {
    return this.#seat.stop(graceMs);
  }

  end(): Promise<void> {
    return this.#seat.end();
  }
}
