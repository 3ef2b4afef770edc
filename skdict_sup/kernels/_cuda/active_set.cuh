// The active atoms of one signal, with the inverse of their system H = G_SS + lam2 I.
#pragma once
#include "team.cuh"

template <class T>
struct Problem {
    const T *gram;  // (p, p)
    const T *corr;  // (p,), of this signal
    int p;
    T lam, lam2, tolerance;  // tolerance: relative pivot of an atom that depends on others
    bool positive;
    int limit;  // changes of the support
};

template <class T>
struct Space {
    int capacity;
    int k;  // active atoms
    T least;  // smallest pivot, relative, since there was no active atom
    int *active;  // (capacity,)
    T *inverse;  // (capacity, capacity)
    T *values, *signs, *direction;  // (capacity,): code, its signs, H^-1 signs
    T *column, *solution, *steps;  // (capacity,)
    T *u, *du, *live;  // (p,): corr - (G + lam2 I) code, its derivative, 1 for atoms that may enter
};

// Numbers that a team needs to code a signal.
DEVICE size_t space_of(int p, int capacity) {
    return size_t(capacity) * (capacity + 6) + 3 * size_t(p);
}

template <class T>
DEVICE Space<T> space_at(T *numbers, int *places, int p, int capacity) {
    Space<T> s;
    s.capacity = capacity;
    s.k = 0;
    s.least = T(1);
    s.active = places;
    s.inverse = numbers;
    T *rest = numbers + size_t(capacity) * capacity;
    T **shorts[] = {&s.values, &s.signs, &s.direction, &s.column, &s.solution, &s.steps};
    for (T **one : shorts) {
        *one = rest;
        rest += capacity;
    }
    s.u = rest;
    s.du = rest + p;
    s.live = rest + 2 * size_t(p);
    return s;
}

// out = H^-1 b
template <class T, class Team>
DEVICE void solve(const Team &team, const Space<T> &s, const T *b, T *out) {
    for (int c = team.lane; c < s.k; c += team.size) {
        T sum = T(0);
        for (int r = 0; r < s.k; r++) sum += b[r] * s.inverse[size_t(r) * s.capacity + c];
        out[c] = sum;
    }
    team.sync();
}

// H^-1 += scale v v' over the first n rows and columns
template <class T, class Team>
DEVICE void add_outer(const Team &team, const Space<T> &s, int n, T scale, const T *v) {
    for (int c = team.lane; c < n; c += team.size) {
        const T right = scale * v[c];
        for (int r = 0; r < n; r++) s.inverse[size_t(r) * s.capacity + c] += v[r] * right;
    }
    team.sync();
}

// visit(j, sum over active atoms of weights times G) for every atom j.
//
// A lane takes four atoms at a time: weights and places are read once for them, and four rows of
// numbers are on their way at once.
template <class Sum, class T, class Team, class Visit>
DEVICE void combine(const Team &team, const Problem<T> &problem, const Space<T> &s,
                    const T *weights, Visit visit) {
    constexpr int wide = 4;
    const int p = problem.p;
    for (int first = team.lane; first < p; first += wide * team.size) {
        Sum sums[wide] = {};
        for (int r = 0; r < s.k; r++) {
            const Sum weight = weights[r];
            const T *row = problem.gram + size_t(s.active[r]) * p;
            for (int q = 0; q < wide; q++) {
                const int j = first + q * team.size;
                if (j < p) sums[q] += weight * row[j];
            }
        }
        for (int q = 0; q < wide; q++) {
            const int j = first + q * team.size;
            if (j < p) visit(j, sums[q]);
        }
    }
}

// Improve solution = H^-1 column for atom j by its residual; a pivot that holds, or zero.
template <class T, class Team>
DEVICE T refine(const Team &team, const Problem<T> &problem, int j, Space<T> &s) {
    const T *row = problem.gram + size_t(j) * problem.p;
    const double lam2 = problem.lam2, diagonal = double(row[j]) + lam2;
    double pivot = 0, doubt = 0;
    for (int round = 0; round < 4; round++) {
        double less = 0, unsure = 0, size = 0;
        for (int r = team.lane; r < s.k; r += team.size) {
            const int i = s.active[r];
            const double value = s.solution[r];
            double rest = double(row[i]) - lam2 * value;
            for (int c = 0; c < s.k; c++)
                rest -= double(s.solution[c]) * problem.gram[size_t(s.active[c]) * problem.p + i];
            s.column[r] = T(rest);
            less += value * (row[i] + rest);
            unsure += magnitude(value * rest);
            size += magnitude(value) * sqrt(double(problem.gram[size_t(i) * problem.p + i]) + lam2);
        }
        team.sync();
        size = sqrt(diagonal) + team.sum(size);
        pivot = diagonal - team.sum(less);
        doubt = team.sum(unsure) + 4 * Limits<double>::eps() * size * size;
        if (doubt < 0.01 * pivot) break;
        solve(team, s, s.column, s.steps);
        for (int r = team.lane; r < s.k; r += team.size) s.solution[r] += s.steps[r];
        team.sync();
    }
    return doubt < 0.5 * pivot ? T(pivot) : T(0);
}

// Make atom j active with value zero; false if it depends on the others.
//
// `solution` is left with the combination of active atoms that comes closest to atom j.
template <class T, class Team>
DEVICE bool enter(const Team &team, const Problem<T> &problem, int j, T sign, Space<T> &s) {
    const int k = s.k;
    const T *row = problem.gram + size_t(j) * problem.p;
    for (int r = team.lane; r < k; r += team.size) s.column[r] = row[s.active[r]];
    team.sync();
    solve(team, s, s.column, s.solution);
    T less = T(0);
    for (int r = team.lane; r < k; r += team.size) less += s.column[r] * s.solution[r];
    const T diagonal = row[j] + problem.lam2, unit = Limits<T>::eps();
    T pivot = diagonal - team.sum(less);
    const T least = k ? s.least : T(1);
    // cancellation in this pivot, or in an earlier one and so in the inverse
    if (pivot < larger(T(32) * T(sqrt(double(unit))), T(1024) * unit / least) * diagonal)
        pivot = refine(team, problem, j, s);
    if (!(pivot > problem.tolerance * diagonal)) return false;
    s.least = smaller(least, pivot / diagonal);
    if (team.lane == 0) {
        s.solution[k] = T(-1);
        s.active[k] = j;
        s.values[k] = s.direction[k] = T(0);
        s.signs[k] = sign;
    }
    for (int r = team.lane; r <= k; r += team.size)
        s.inverse[size_t(k) * s.capacity + r] = s.inverse[size_t(r) * s.capacity + k] = T(0);
    team.sync();
    add_outer(team, s, k + 1, T(1) / pivot, s.solution);
    T along = T(0);
    for (int r = team.lane; r <= k; r += team.size) along += s.solution[r] * s.signs[r];
    along = team.sum(along) / pivot;
    for (int r = team.lane; r <= k; r += team.size) s.direction[r] += along * s.solution[r];
    s.k = k + 1;
    team.sync();
    return true;
}

// Make the d-th active atom inactive; the last one takes its place.
template <class T, class Team>
DEVICE void leave(const Team &team, int d, Space<T> &s) {
    const int k = s.k, last = k - 1;
    const size_t width = s.capacity;
    for (int c = team.lane; c < k; c += team.size) s.solution[c] = s.inverse[d * width + c];
    team.sync();
    const T scale = T(-1) / s.solution[d], along = s.direction[d] * scale;
    team.sync();  // every lane has read the direction of d
    add_outer(team, s, k, scale, s.solution);
    for (int r = team.lane; r < k; r += team.size) s.direction[r] += along * s.solution[r];
    team.sync();
    for (int c = team.lane; c < last; c += team.size)
        if (c != d) s.inverse[d * width + c] = s.inverse[c * width + d] = s.inverse[last * width + c];
    if (team.lane == 0) {
        s.inverse[d * width + d] = s.inverse[last * width + last];
        s.active[d] = s.active[last];
        s.values[d] = s.values[last];
        s.signs[d] = s.signs[last];
        s.direction[d] = s.direction[last];
    }
    s.k = last;
    team.sync();
}
