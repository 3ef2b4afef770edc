// The bodies of the CUDA kernels as a host program: host threads replace the threads of a team.
//
// cuda_host KERNEL TYPE LANES INPUT OUTPUT reads numbers and arrays in the order of the functions
// below, all as doubles, and writes the results the same way, so that tests can compare them with
// the references. Built with a thread sanitizer, it fails where a lane reads what another one
// writes without a sync between them.
#include <math.h>

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using std::size_t;
// the functions of C take double only
using std::asinh, std::exp, std::log, std::sinh, std::sqrt;

#include "atom_update.cu"
#include "elastic_net_codes.cu"
#include "kl_codes.cu"
#include "support_solve.cu"

// What the threads of a team share: a barrier, and a slot for the value of each.
struct Shared {
    std::barrier<> gate;
    std::vector<std::vector<char>> slots;
    explicit Shared(int size) : gate(size), slots(size, std::vector<char>(16)) {}
};

// A team of host threads.
struct HostTeam {
    int size, lane;
    Shared *shared;

    void sync() const { shared->gate.arrive_and_wait(); }

    template <class T, class Join>
    T reduce(T mine, Join join) const {
        static_assert(sizeof(T) <= 16);
        std::memcpy(shared->slots[lane].data(), &mine, sizeof(T));
        sync();
        T all;
        std::memcpy(&all, shared->slots[0].data(), sizeof(T));
        for (int other = 1; other < size; other++) {
            T next;
            std::memcpy(&next, shared->slots[other].data(), sizeof(T));
            all = join(all, next);
        }
        sync();
        return all;
    }
    template <class T>
    T sum(T x) const {
        return reduce(x, [](T a, T b) { return a + b; });
    }
    template <class T>
    T max(T x) const {
        return reduce(x, [](T a, T b) { return larger(a, b); });
    }
    template <class T>
    Indexed<T> argmax(Indexed<T> x) const {
        return reduce(x, [](Indexed<T> a, Indexed<T> b) { return precedes(b, a) ? b : a; });
    }
};

struct Input {
    std::ifstream file;
    explicit Input(const char *path) : file(path, std::ios::binary) {}

    double number() {
        double value;
        file.read(reinterpret_cast<char *>(&value), sizeof value);
        return value;
    }
    int count() { return int(number()); }
    template <class T>
    std::vector<T> array(size_t n) {
        std::vector<T> found(n);
        for (T &value : found) value = T(number());
        return found;
    }
};

struct Output {
    std::ofstream file;
    explicit Output(const char *path) : file(path, std::ios::binary) {}

    template <class T>
    void array(const std::vector<T> &values) {
        for (T value : values) {
            const double wide = double(value);
            file.write(reinterpret_cast<const char *>(&wide), sizeof wide);
        }
    }
};

// Run work(team) on one thread, or on a team of several.
template <class Work>
void with_team(int lanes, Work work) {
    if (lanes == 1) {
        work(SingleThread());
        return;
    }
    Shared shared(lanes);
    std::vector<std::thread> threads;
    for (int lane = 0; lane < lanes; lane++)
        threads.emplace_back([&, lane] { work(HostTeam{lanes, lane, &shared}); });
    for (std::thread &thread : threads) thread.join();
}

template <class T>
void elastic_net_codes(int lanes, Input &in, Output &out) {
    const int n = in.count(), p = in.count(), capacity = in.count(), max_changes = in.count();
    const bool positive = in.count(), warm = in.count(), weighted = in.count();
    const T lam = T(in.number()), lam2 = T(in.number()), tolerance = T(in.number());
    const auto gram = in.array<T>(size_t(p) * p), corr = in.array<T>(size_t(n) * p);
    const auto init = in.array<T>(warm ? size_t(n) * p : 0), weights = in.array<T>(weighted ? p : 0);
    const bool has_free = std::count(weights.begin(), weights.end(), T(0)) > 0;
    std::vector<T> workspace(state_size(p, capacity)), code(size_t(n) * p), slope(size_t(n) * p);
    std::vector<int> indices(capacity), n_iter(n);
    with_team(lanes, [&](auto team) {
        State<T> s = state_at(workspace.data(), indices.data(), p, capacity);
        for (int i = 0; i < n; i++) {
            const size_t start = size_t(i) * p;
            const T *each = weighted ? weights.data() : nullptr;
            const Problem<T> problem = {gram.data(), corr.data() + start, p,    lam,     lam2,
                                        tolerance,   positive, max_changes, each, has_free};
            int count;
            const bool fits = code_signal(team, problem, warm ? init.data() + start : nullptr, s,
                                          code.data() + start, slope.data() + start, count);
            if (team.lane == 0) n_iter[i] = fits ? count : -1;
        }
    });
    out.array(code), out.array(slope), out.array(n_iter);
}

template <class T>
void support_solve(int lanes, Input &in, Output &out) {
    const int n = in.count(), p = in.count();
    const bool each = in.count();
    const T tolerance = T(in.number());
    const auto gram = in.array<T>(size_t(p) * p), curvature = in.array<T>(each ? size_t(n) * p : 1);
    const auto members = in.array<char>(size_t(n) * p);
    const auto rhs = in.array<T>(size_t(n) * p);
    auto support = std::make_unique<bool[]>(members.size());
    for (size_t i = 0; i < members.size(); i++) support[i] = members[i];
    std::vector<T> workspace(size_t(p) * (p + 3)), x(rhs.size());
    std::vector<int> indices(p);
    with_team(lanes, [&](auto team) {
        for (int i = 0; i < n; i++) {
            const size_t start = size_t(i) * p;
            solve_support(team, gram.data(), p, curvature.data() + (each ? start : 0), each,
                          support.get() + start, rhs.data() + start, tolerance, workspace.data(),
                          indices.data(), x.data() + start);
        }
    });
    out.array(x);
}

template <class T>
void kl_codes(int lanes, Input &in, Output &out) {
    const int n = in.count(), p = in.count(), n_means = in.count(), max_iter = in.count();
    const bool positive = in.count();
    const T lam = T(in.number()), tol = T(in.number());
    const auto gram = in.array<T>(size_t(p) * p), corr = in.array<T>(size_t(n) * p);
    const auto sq_norm = in.array<T>(n), mean = in.array<T>(n_means);
    auto code = in.array<T>(size_t(n) * p);
    std::vector<T> workspace(state_size(p)), slope(code.size());
    std::vector<int> n_iter(n);
    with_team(lanes, [&](auto team) {
        for (int i = 0; i < n; i++) {
            const size_t start = size_t(i) * p;
            const KLProblem<T> d = {gram.data(), corr.data() + start, sq_norm[i], lam,
                                     mean.data(), n_means == 1,        p,         positive};
            const int steps = code_signal(team, d, tol, max_iter, workspace.data(),
                                          code.data() + start, slope.data() + start);
            if (team.lane == 0) n_iter[i] = steps;
        }
    });
    out.array(code), out.array(slope), out.array(n_iter);
}

template <class T>
void atom_update(int lanes, Input &in, Output &out) {
    const int p = in.count(), m = in.count();
    const bool positive = in.count();
    auto dictionary = in.array<T>(size_t(p) * m);
    const auto code_moment = in.array<T>(size_t(p) * p), cross = in.array<T>(size_t(p) * m);
    with_team(lanes, [&](auto team) {
        update_atoms(team, dictionary.data(), code_moment.data(), cross.data(), p, m, positive);
    });
    out.array(dictionary);
}

template <class T>
bool run(const std::string &kernel, int lanes, Input &in, Output &out) {
    if (kernel == "elastic_net_codes") elastic_net_codes<T>(lanes, in, out);
    else if (kernel == "support_solve") support_solve<T>(lanes, in, out);
    else if (kernel == "kl_codes") kl_codes<T>(lanes, in, out);
    else if (kernel == "atom_update") atom_update<T>(lanes, in, out);
    else return false;
    return true;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    Input in(argv[4]);
    Output out(argv[5]);
    const bool single = std::string(argv[2]) == "float32";
    const int lanes = std::stoi(argv[3]);
    return (single ? run<float> : run<double>)(argv[1], lanes, in, out) ? 0 : 2;
}
