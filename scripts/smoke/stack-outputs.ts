import { readFileSync } from 'node:fs';

/** The canary of a deployed stack: its cluster and its service. */
export interface DeployedCanary {
  readonly cluster: string;
  readonly service: string;
}

/**
 * Returns the canary that `cdk deploy --outputs-file` has written for a stack. The ids of its outputs end in a hash that the
 * CDK appends.
 */
export function deployedCanary(file: string, stack: string): DeployedCanary {
  let all: Record<string, Record<string, string>>;
  try {
    all = JSON.parse(readFileSync(file, 'utf8')) as typeof all;
  } catch {
    throw new Error(
      `'${file}' is no file of outputs. Write it with \`cdk deploy ${stack} --outputs-file ${file}\`.`,
    );
  }
  const outputs = all[stack];
  if (outputs === undefined)
    throw new Error(`'${file}' has no stack '${stack}', but: ${Object.keys(all).join(', ') || 'none'}.`);
  const outputOf = (name: string): string => {
    const found = Object.entries(outputs).find(([key]) => new RegExp(`Canary${name}[0-9A-F]{8}$`).test(key));
    if (found === undefined)
      throw new Error(`the stack '${stack}' has no output Canary${name}: deploy a HoldfastCanary with it.`);
    return found[1];
  };
  return { cluster: outputOf('ClusterName'), service: outputOf('ServiceName') };
}
