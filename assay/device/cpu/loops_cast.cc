// Conversions between all numeric dtypes.
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "assay/device/cpu/loops.h"
#include "assay/device/cpu/map-inl.h"

namespace assay::cpu {
namespace {

template <typename T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

// `x` cut off to the whole number towards zero; what To cannot hold, NaN among it, becomes the
// lowest To, as x86 has it. Chosen before converting, so that no conversion is undefined and the
// same bits come from vectors and from single elements.
template <typename To, typename From>
To whole(From x) {
  constexpr From kLimit = static_cast<From>(To{1} << (8 * sizeof(To) - 2)) * 2;
  const bool fits = x >= -kLimit && x < kLimit;
  const To value = static_cast<To>(fits ? x : From{0});
  return fits ? value : std::numeric_limits<To>::min();
}

// A float as any integer: by way of int32 or int64, of which narrower types take the low bits.
template <typename From, typename To>
To float_to_integer(From x) {
  if constexpr (sizeof(To) < 4 || std::is_same_v<To, std::int32_t>) {
    return static_cast<To>(whole<std::int32_t>(x));
  } else if constexpr (std::is_same_v<To, std::uint64_t>) {
    constexpr From kHalf = static_cast<From>(std::int64_t{1} << 62) * 2;
    if (!(x >= kHalf)) return static_cast<To>(whole<std::int64_t>(x));
    return static_cast<To>(whole<std::int64_t>(x - kHalf)) ^ (To{1} << 63);
  } else {
    return static_cast<To>(whole<std::int64_t>(x));
  }
}

template <typename From, typename To>
To converted(const From& x) {
  if constexpr (std::is_same_v<From, To>) {
    return x;
  } else if constexpr (is_half_type<From>) {
    return converted<float, To>(static_cast<float>(x));
  } else if constexpr (is_complex_type<From>) {
    if constexpr (is_complex_type<To>) {
      return To(x);
    } else {
      return converted<typename From::value_type, To>(x.real());
    }
  } else if constexpr (is_complex_type<To>) {
    return To(static_cast<typename To::value_type>(x));
  } else if constexpr (is_half_type<To>) {
    return To(static_cast<float>(x));
  } else if constexpr (std::is_same_v<To, bool>) {
    return x != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return float_to_integer<From, To>(x);
  } else {
    return static_cast<To>(x);
  }
}

// `x` without the low `bits` bits of its fraction, which To has no room for.
template <typename From, typename Bits, typename To>
To truncated(From x, int bits) {
  const Bits kept = std::bit_cast<Bits>(x) >> bits << bits;
  return converted<From, To>(std::bit_cast<From>(kept));
}

// body(T{}) for the type of any dtype that can be converted.
template <typename Body>
ElementwiseLoop for_convertible(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::kBool:
      return body(bool{});
    case DType::kHalf:
      return body(Half{});
    case DType::kBFloat16:
      return body(BFloat16{});
    default:
      return for_number(dtype, body);
  }
}

}  // namespace

ElementwiseLoop cast_loop(DType from, DType to) {
  return for_convertible(from, [to](auto source) -> ElementwiseLoop {
    using From = decltype(source);
    return for_convertible(to, [](auto target) -> ElementwiseLoop {
      using To = decltype(target);
      return unary_of<From, To>([](const From& x) { return converted<From, To>(x); });
    });
  });
}

ElementwiseLoop truncating_cast_loop(DType from, DType to) {
  if (from == DType::kFloat && to == DType::kBFloat16) {
    return unary_of<float, BFloat16>(
        [](float x) { return truncated<float, std::uint32_t, BFloat16>(x, 16); });
  }
  if (from == DType::kFloat && to == DType::kHalf) {
    return unary_of<float, Half>(
        [](float x) { return truncated<float, std::uint32_t, Half>(x, 13); });
  }
  if (from == DType::kDouble && to == DType::kHalf) {
    return unary_of<double, Half>(
        [](double x) { return truncated<double, std::uint64_t, Half>(x, 42); });
  }
  if (from == DType::kDouble && to == DType::kFloat) {
    return unary_of<double, float>(
        [](double x) { return truncated<double, std::uint64_t, float>(x, 29); });
  }
  return nullptr;
}

}  // namespace assay::cpu
