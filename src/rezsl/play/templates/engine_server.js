// Photos are recognised by the server that serves this page.

const MOST_BYTES = 32 * 2 ** 20;

async function post(path, type, body) {
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
  } catch {
    throw new Error("The server does not answer: it has ended. Save your table, then start rezsl play again.");
  }
  const content = await response.json().catch(() => ({ error: `The server could not answer (${response.status}). Its terminal says why.` }));
  if (!response.ok) throw new Error(content.error);
  return content;
}

export async function createEngine() {
  return {
    async add(file) {
      if (file.size > MOST_BYTES) throw new Error(`Expected a photo of at most 32 MiB, got ${Math.ceil(file.size / 2 ** 20)} MiB. Scale it down.`);
      return post("photos", "application/octet-stream", file);
    },
    answer: (photo, changes, top) => post("answer", "application/json", JSON.stringify({ photo, changes, top })),
    maps: (photo, attributes, kind) => post("maps", "application/json", JSON.stringify({ photo, attributes, kind })),
  };
}
