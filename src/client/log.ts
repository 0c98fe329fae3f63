/**
 * A structured logger with pino's call signatures: `log.info({ id }, 'message')` or `log.info('message')`. A pino
 * logger can be passed as it is.
 */
export interface Logger {
  debug(fields: object, message?: string): void;
  debug(message: string): void;
  info(fields: object, message?: string): void;
  info(message: string): void;
  warn(fields: object, message?: string): void;
  warn(message: string): void;
  error(fields: object, message?: string): void;
  error(message: string): void;
}

/** A logger that discards every line. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Returns a logger that adds `fields` to every line and writes it to `log`. */
export function withFields(log: Logger, fields: object): Logger {
  const line =
    (level: keyof Logger) =>
    (first: object | string, message?: string): void => {
      if (typeof first === 'string') log[level](fields, first);
      else log[level]({ ...fields, ...first }, message);
    };
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}
