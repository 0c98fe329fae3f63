import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pythonEnvironment } from '../../fixtures/python-environment.ts';

const release = '1.85.1';
const packages = ['grpcio', 'grpcio-tools', 'grpcio-status'].map((name) => `${name}==${release}`);
const protoFiles = ['task.proto', 'task_service.proto', 'worker_service.proto', 'admin_service.proto'];

/** Packages beside grpcio, and a name for them that changes with them. */
interface MorePackages {
  readonly name: string;
  readonly packages: readonly string[];
}

export interface PythonClient {
  /** The path of a Python that has grpcio and grpcio-status. */
  readonly python: string;
  /** The environment variables with which that Python finds the generated modules, such as `holdfast.v1.task_pb2`. */
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Returns what a client in Python needs: grpcio in a virtual environment, and the modules that protoc generates from
 * `proto/`. A client in another language shares neither code nor mistakes with the SDK. The first call takes a minute.
 * Throws an Error that says what is missing if there is no Python or no package. With `more` packages the environment is
 * another one.
 */
export function pythonClient(more: MorePackages = { name: '', packages: [] }): PythonClient {
  const name = `python-grpc-${release}${more.name}`;
  const python = pythonEnvironment(name, [...packages, ...more.packages]);
  const generated = resolve('node_modules/.cache', name, 'generated');
  mkdirSync(generated, { recursive: true });
  const outputs = [`--python_out=${generated}`, `--grpc_python_out=${generated}`];
  const files = protoFiles.map((file) => join('holdfast/v1', file));
  const args = ['-m', 'grpc_tools.protoc', '--proto_path=proto', ...outputs, ...files];
  const { status, stderr } = spawnSync(python, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`protoc could not generate the Python modules: ${stderr}`);
  return { python, environment: { PYTHONPATH: generated, PYTHONUNBUFFERED: '1' } };
}
