// One symmetric system per signal, restricted to its support: a warp for each signal.
#include "cholesky.cuh"

// Solve (G_SS + diag(c_S)) x_S = rhs_S for one signal.
//
// `curvature` is c, or one number for all entries where `each` is false. With a number for each
// entry, the system is scaled to I + S G S, S = diag(c)^(-1/2).
template <class T, class Team>
DEVICE void solve_support(const Team &team, const T *gram, int p, const T *curvature, bool each,
                          const bool *support, const T *rhs, T tolerance, T *workspace,
                          int *indices, T *x) {
    int k = 0;  // all lanes count the same
    for (int j = 0; j < p; j++) k += support[j];
    T *H = workspace, *b = H + size_t(k) * k, *diagonal = b + k, *scale = diagonal + k;
    if (team.lane == 0)
        for (int j = 0, r = 0; j < p; j++)
            if (support[j]) indices[r++] = j;
    for (int j = team.lane; j < p; j += team.size) x[j] = T(0);
    team.sync();
    for (int r = team.lane; r < k; r += team.size) {
        const int j = indices[r];
        scale[r] = each ? T(1) / T(sqrt(curvature[j])) : T(1);
        b[r] = scale[r] * rhs[j];
    }
    team.sync();
    const T ridge = each ? T(1) : curvature[0];
    for (int r = 0; r < k; r++) {
        const T *row = gram + size_t(indices[r]) * p;
        for (int c = r + team.lane; c < k; c += team.size)
            H[size_t(r) * k + c] = scale[r] * row[indices[c]] * scale[c] + (c == r ? ridge : T(0));
    }
    team.sync();
    factor(team, H, k, each ? T(0) : tolerance, diagonal);
    solve_factored(team, H, k, b);
    for (int r = team.lane; r < k; r += team.size) x[indices[r]] = scale[r] * b[r];
    team.sync();
}

#ifdef __CUDACC__
// Solve the systems of all signals; no support has more than `width` atoms.
template <class T>
__global__ void support_solve(const T *gram, const T *curvature, int each, const bool *support,
                              const T *rhs, int n, int p, T tolerance, int width, T *workspace,
                              int *indices, T *x) {
    const Warp team;
    const int warps = blockDim.x / 32, mine = blockIdx.x * warps + threadIdx.x / 32;
    workspace += mine * size_t(width) * (width + 3);
    indices += mine * size_t(width);
    for (int i = mine; i < n; i += gridDim.x * warps) {
        const size_t start = size_t(i) * p;
        const T *c = each ? curvature + start : curvature;
        solve_support(team, gram, p, c, each != 0, support + start, rhs + start, tolerance,
                      workspace, indices, x + start);
    }
}
#endif
