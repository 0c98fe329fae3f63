/** A structured log, as pino has it: fields and a message, or a message alone. */
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

export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Adds fields to every line of a log. */
export function withFields(log: Logger, fields: object): Logger {
  const line =
    (level: keyof Logger) =>
    (first: object | string, message?: string): void => {
      if (typeof first === 'string') log[level](fields, first);
      else log[level]({ ...fields, ...first }, message);
    };
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}
