"""Slow, obvious versions of the metrics, in plain Python, written from the definitions alone."""


def kept_order(distances, dropped):
    """Gallery indices that are kept, by (distance, index)."""
    kept = [j for j in range(len(distances)) if not dropped[j]]
    return sorted(kept, key=lambda j: (distances[j], j))


def query_scores(distances, query_pid, gallery_pids, dropped):
    """(AP, INP, place of the first match, place of the query's identity), or None for a query without a match."""
    ranked_pids = [gallery_pids[j] for j in kept_order(distances, dropped)]
    places = [place for place, pid in enumerate(ranked_pids, start=1) if pid == query_pid]
    if not places:
        return None
    precision = sum(k / place for k, place in enumerate(places, start=1)) / len(places)
    identities = []
    for pid in ranked_pids:
        if pid not in identities:
            identities.append(pid)
    return precision, len(places) / places[-1], places[0], identities.index(query_pid) + 1


def metrics(distances, query_pids, gallery_pids, dropped, distinct_identities, max_rank=20):
    """(cmc, mean AP, mean INP, number of valid queries, per-query scores or None)."""
    scores = [
        query_scores(row, pid, gallery_pids, mask)
        for row, pid, mask in zip(distances, query_pids, dropped, strict=True)
    ]
    valid = [score for score in scores if score is not None]
    places = [score[3] if distinct_identities else score[2] for score in valid]
    cmc = [sum(place <= k for place in places) / len(valid) for k in range(1, max_rank + 1)]
    mean_ap = sum(score[0] for score in valid) / len(valid)
    mean_inp = sum(score[1] for score in valid) / len(valid)
    return cmc, mean_ap, mean_inp, len(valid), scores
