// A render as a signed link. The farm signs it: its link key never comes here.

const NOT_FOUND = 404;

/** Resolves to `{link}`, or to `{problem}` with a sentence. `base`: where the farm is. */
export async function signedLink(body, key, base) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers.Authorization = `Bearer ${key}`;
  try {
    const response = await fetch("links", { method: "POST", headers, body: JSON.stringify(body) });
    if (response.status === NOT_FOUND)
      return {
        problem:
          "This farm makes no links. Set FARM_LINK_KEY to a secret of 32 characters or more " +
          "(openssl rand -hex 32), and start the farm again.",
      };
    const answer = await response.json();
    if (!answer.success) return { problem: answer.error };
    return { link: new URL(answer.linkUrl.slice(1), base).href };
  } catch {
    return { problem: "The farm does not answer. Is it running, and is there a network?" };
  }
}
