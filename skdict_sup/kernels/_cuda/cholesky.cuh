// Cholesky factor U'U = H of one symmetric system, and its solution, by a team.
#pragma once
#include "team.cuh"

// Replace the upper triangle of the leading k x k part of H by its factor U.
//
// A row whose pivot is at most `tolerance` times its diagonal entry is linearly dependent: the row
// becomes zero, and so does its unknown.
template <class T, class Team>
DEVICE void factor(const Team &team, T *H, int k, T tolerance, T *diagonal) {
    for (int j = team.lane; j < k; j += team.size) diagonal[j] = H[size_t(j) * k + j];
    team.sync();
    for (int j = 0; j < k; j++) {
        T *row = H + size_t(j) * k;
        const T pivot = row[j];
        const bool is_independent = pivot > tolerance * diagonal[j];
        const T scale = is_independent ? T(1) / T(sqrt(double(pivot))) : T(0);
        team.sync();  // every lane has read the pivot
        for (int c = j + team.lane; c < k; c += team.size) row[c] *= scale;
        team.sync();
        if (!is_independent) continue;
        for (int i = j + 1; i < k; i++)
            for (int c = i + team.lane; c < k; c += team.size)
                H[size_t(i) * k + c] -= row[i] * row[c];
        team.sync();
    }
}

// Replace b by the solution of U'U x = b.
template <class T, class Team>
DEVICE void solve_factored(const Team &team, const T *U, int k, T *b) {
    for (int j = 0; j < k; j++) {
        const T *row = U + size_t(j) * k;
        const T value = row[j] > T(0) ? b[j] / row[j] : T(0);
        team.sync();
        for (int c = j + 1 + team.lane; c < k; c += team.size) b[c] -= value * row[c];
        if (team.lane == 0) b[j] = value;
        team.sync();
    }
    for (int j = k - 1; j >= 0; j--) {
        const T *row = U + size_t(j) * k;
        T sum = T(0);
        for (int c = j + 1 + team.lane; c < k; c += team.size) sum += row[c] * b[c];
        sum = team.sum(sum);
        const T value = row[j] > T(0) ? (b[j] - sum) / row[j] : T(0);
        team.sync();
        if (team.lane == 0) b[j] = value;
        team.sync();
    }
}
