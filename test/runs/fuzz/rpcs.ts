/** Every rpc that a server of Holdfast registers, found in the generated code, so that a new one is fuzzed without a change. */
import { globSync } from 'node:fs';
import type { DescFile, DescMessage } from '@bufbuild/protobuf';
import { createConnectRouter } from '@connectrpc/connect';
import { ServingState } from '../../../src/rpc/server/health.ts';
import { addRoutes } from '../../../src/rpc/server/http/connect-routes.ts';

export interface Rpc {
  /** Such as `/holdfast.v1.TaskService/GetTask`. */
  readonly path: string;
  readonly clientStreams: boolean;
  readonly serverStreams: boolean;
  /** Undefined for reflection, whose messages are not generated. */
  readonly input: DescMessage | undefined;
  readonly output: DescMessage | undefined;
}

const generated = new URL('../../../src/rpc/gen/', import.meta.url);

function isFile(value: unknown): value is DescFile {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'file';
}

/** Returns all rpcs: those of the generated services, and both versions of reflection. */
export async function allRpcs(): Promise<readonly Rpc[]> {
  const files = globSync('**/*_pb.ts', { cwd: generated }).sort();
  const modules = await Promise.all(files.map((file) => import(new URL(file, generated).href)));
  const services = modules
    .flatMap((module) => Object.values(module).filter(isFile))
    .flatMap((f) => f.services);
  const rpcs = services.flatMap(({ typeName, methods }) =>
    methods.map(({ name, methodKind, input, output }): Rpc => {
      const clientStreams = methodKind === 'client_streaming' || methodKind === 'bidi_streaming';
      const serverStreams = methodKind === 'server_streaming' || methodKind === 'bidi_streaming';
      return { path: `/${typeName}/${name}`, clientStreams, serverStreams, input, output };
    }),
  );
  const reflection = ['v1', 'v1alpha'].map((version): Rpc => {
    const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
    return { path, clientStreams: true, serverStreams: true, input: undefined, output: undefined };
  });
  return [...rpcs, ...reflection];
}

/** Returns every path of the HTTP listener: those of its router, health, and some at which there is nothing. */
export function allHttpPaths(): readonly string[] {
  const router = createConnectRouter();
  // The handlers are registered and never called.
  const never = {} as never;
  addRoutes(router, { api: never, clock: never, health: new ServingState([]), admission: never });
  const paths = router.handlers.map(({ requestPath }) => requestPath);
  return [...paths, '/healthz', '/', '/metrics', '/nothing/Here', '*'];
}
