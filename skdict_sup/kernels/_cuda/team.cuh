// Teams of threads that share one signal: what a lane may ask of the others.
//
// Code for a team is written once. Each lane takes every size-th entry of a loop; sums and largest
// entries come back the same, bit for bit, on all lanes, so that every branch is taken by all or by
// none. A team of one thread makes the same code a plain C++ function, which is how it is tested
// where there is no GPU.
#pragma once

#ifdef __CUDACC__
#define DEVICE __device__ __forceinline__
#else
#define DEVICE inline
#endif

template <class T>
struct Limits;
template <>
struct Limits<float> {
    static DEVICE float eps() { return 1.1920929e-7f; }
    static DEVICE float least() { return 1.17549435e-38f; }
    static DEVICE float exponent() { return 79.85f; }  // what exp takes with room to spare
};
template <>
struct Limits<double> {
    static DEVICE double eps() { return 2.220446049250313e-16; }
    static DEVICE double least() { return 2.2250738585072014e-308; }
    static DEVICE double exponent() { return 638.8; }
};

template <class T>
DEVICE T magnitude(T x) {
    return x < T(0) ? -x : x;
}

template <class T>
DEVICE T larger(T a, T b) {
    return a < b ? b : a;
}

template <class T>
DEVICE T smaller(T a, T b) {
    return b < a ? b : a;
}

// A number and where it stands; -1 for nowhere.
template <class T>
struct Placed {
    T value;
    int place;
};

// Whether a comes before b: the larger number, then the lower place.
template <class T>
DEVICE bool before(Placed<T> a, Placed<T> b) {
    if (b.place < 0) return a.place >= 0;
    if (a.place < 0) return false;
    return a.value > b.value || (a.value == b.value && a.place < b.place);
}

// One thread alone.
struct Alone {
    static constexpr int size = 1;
    static constexpr int lane = 0;
    DEVICE void sync() const {}
    template <class T>
    DEVICE T sum(T x) const {
        return x;
    }
    template <class T>
    DEVICE T largest(T x) const {
        return x;
    }
    template <class T>
    DEVICE Placed<T> first(Placed<T> x) const {
        return x;
    }
};

#ifdef __CUDACC__
// The 32 threads of a warp.
struct Warp {
    static constexpr int size = 32;
    const int lane = threadIdx.x % 32;
    DEVICE void sync() const { __syncwarp(); }
    template <class T>
    DEVICE T sum(T x) const {
        // butterflies add the same pairs on all lanes: the same bits
        for (int step = 16; step; step /= 2) x += __shfl_xor_sync(0xffffffffu, x, step);
        return x;
    }
    template <class T>
    DEVICE T largest(T x) const {
        for (int step = 16; step; step /= 2)
            x = larger(x, __shfl_xor_sync(0xffffffffu, x, step));
        return x;
    }
    template <class T>
    DEVICE Placed<T> first(Placed<T> x) const {
        for (int step = 16; step; step /= 2) {
            Placed<T> other = {__shfl_xor_sync(0xffffffffu, x.value, step),
                               __shfl_xor_sync(0xffffffffu, x.place, step)};
            if (before(other, x)) x = other;
        }
        return x;
    }
};

// All threads of a block, whole warps of them.
struct Block {
    const int size = blockDim.x;
    const int lane = threadIdx.x;
    DEVICE void sync() const { __syncthreads(); }
    template <class T>
    DEVICE T sum(T x) const {
        return joined(Warp().sum(x), [](T a, T b) { return a + b; });
    }
    template <class T>
    DEVICE T largest(T x) const {
        return joined(Warp().largest(x), [](T a, T b) { return larger(a, b); });
    }

   private:
    template <class T, class Join>
    DEVICE T joined(T mine, Join join) const {
        __shared__ T parts[32];
        if (lane % 32 == 0) parts[lane / 32] = mine;
        __syncthreads();
        T all = parts[0];
        for (int warp = 1; warp < size / 32; warp++) all = join(all, parts[warp]);
        __syncthreads();
        return all;
    }
};
#endif
