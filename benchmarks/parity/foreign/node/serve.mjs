import readline from 'readline';

// serve makes the calls that come as JSON, one a line, and answers each with a
// line: what it gave, or how it failed.
export async function serve(make) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      const output = await make(JSON.parse(line));
      answer = { output: output ?? null };
    } catch (err) {
      answer = { error: text(err) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}

function text(err) {
  err = err.error ?? err; // as the CLI wraps it
  if (typeof err === 'string') return err;
  const code = [err.statusCode, err.code].filter(Boolean).join(' ');
  return code ? `${code}: ${err.message}` : String(err.message ?? err);
}
