"""k-reciprocal re-ranking with loops and sets, written from the definition (Zhong et al., CVPR 2017)."""

import math


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def rerank(query, gallery, k1, k2, original_weight):
    """The re-ranked distances as a list of rows."""
    images = [*query, *gallery]
    count = len(images)
    d = [
        [0.0 if i == j else max(0.0, 2 - 2 * cosine(images[i], images[j])) for j in range(count)] for i in range(count)
    ]
    d = [[value / (max(row) or 1.0) for value in row] for row in d]
    nearest = [sorted(range(count), key=lambda j: (row[j], j)) for row in d]

    def reciprocal(i, k):
        return {j for j in nearest[i][: k + 1] if i in nearest[j][: k + 1]}

    encoded = []
    for i in range(count):
        members = reciprocal(i, k1)
        expanded = set(members)
        for j in members:
            half = reciprocal(j, round(k1 / 2))
            if 3 * len(half & members) > 2 * len(half):
                expanded |= half
        total = sum(math.exp(-d[i][j]) for j in expanded)
        encoded.append([math.exp(-d[i][j]) / total if j in expanded else 0.0 for j in range(count)])

    def average(i):
        near = nearest[i][:k2]
        return [sum(encoded[n][j] for n in near) / len(near) for j in range(count)]

    encoded = [average(i) for i in range(count)]

    def jaccard(i, j):
        least = sum(min(a, b) for a, b in zip(encoded[i], encoded[j], strict=True))
        most = sum(max(a, b) for a, b in zip(encoded[i], encoded[j], strict=True))
        return 1 - least / most

    return [
        [
            (1 - original_weight) * jaccard(i, len(query) + g) + original_weight * d[i][len(query) + g]
            for g in range(len(gallery))
        ]
        for i in range(len(query))
    ]
