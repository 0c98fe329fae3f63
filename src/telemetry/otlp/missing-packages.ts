import { isInstance, messageOf, readProperty } from '../../core/untrusted.ts';
import type { Log } from '../../ports/log.ts';
import type { Signal } from './environment.ts';

/**
 * Opens the export of a signal, whose packages are loaded only now. If one of the packages is not installed, logs how to
 * install them and returns undefined: the process works without the export.
 */
export async function unlessMissing<T>(
  log: Log,
  signal: Signal,
  packages: readonly string[],
  open: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await open();
  } catch (thrown) {
    if (!isInstance(thrown, Error) || readProperty(thrown, 'code') !== 'ERR_MODULE_NOT_FOUND') throw thrown;
    log.warn(
      { error: messageOf(thrown), help: `npm install ${packages.join(' ')}` },
      `the export over OTLP is switched on, but packages of OpenTelemetry are missing: no ${signal} are exported`,
    );
    return undefined;
  }
}
