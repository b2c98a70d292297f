/**
 * All who ask for the same while it is under way get the one answer, in the order in which they asked: each with a question
 * of its own, a later message could overtake an earlier one [R4].
 */
export function shared<T>(underWay: Map<string, Promise<T>>, key: string, ask: () => Promise<T>): Promise<T> {
  let answer = underWay.get(key);
  if (answer === undefined) {
    answer = ask().finally(() => underWay.delete(key));
    underWay.set(key, answer);
  }
  return answer;
}
