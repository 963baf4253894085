#include "assay/graph/device_name.h"

#include <cctype>
#include <charconv>

#include "assay/base/error.h"

namespace assay {
namespace {

// "" where a field is not set; "*" leaves it open as well.
struct Device {
  std::string job, replica, task, type, index;
};

std::string upper(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string number(std::string_view text, std::string_view device) {
  if (text == "*") return "";
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    invalid_argument("'{}' is no device: '{}' is no number", device, text);
  }
  return fmt::format("{}", value);
}

void parse_part(std::string_view part, std::string_view whole, Device& device) {
  const auto colon = part.find(':');
  const std::string_view key = part.substr(0, colon);
  const std::string_view value =
      colon == std::string_view::npos ? std::string_view() : part.substr(colon + 1);
  if (colon == std::string_view::npos) invalid_argument("'{}' is no device: '{}'", whole, part);
  if (key == "job") {
    device.job = value;
  } else if (key == "replica") {
    device.replica = number(value, whole);
  } else if (key == "task") {
    device.task = number(value, whole);
  } else if (key == "device") {
    const auto second = value.find(':');
    device.type = upper(value.substr(0, second));
    if (device.type == "*") device.type.clear();
    if (second != std::string_view::npos) device.index = number(value.substr(second + 1), whole);
  } else if (key == "cpu" || key == "CPU" || key == "gpu" || key == "GPU") {
    device.type = upper(key);
    device.index = number(value, whole);
  } else {
    invalid_argument("'{}' is no device: '{}' is none of job, replica, task, device, cpu, gpu",
                     whole, key);
  }
}

Device parse(std::string_view text) {
  Device device;
  std::string_view rest = text;
  while (!rest.empty()) {
    if (rest.front() == '/') {
      rest.remove_prefix(1);
      continue;
    }
    const auto slash = rest.find('/');
    parse_part(rest.substr(0, slash), text, device);
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash);
  }
  return device;
}

std::string print(const Device& d) {
  std::string out;
  if (!d.job.empty()) out += "/job:" + d.job;
  if (!d.replica.empty()) out += "/replica:" + d.replica;
  if (!d.task.empty()) out += "/task:" + d.task;
  if (!d.type.empty()) out += "/device:" + d.type + ":" + (d.index.empty() ? "*" : d.index);
  return out;
}

}  // namespace

std::string canonical_device(std::string_view device) {
  return print(parse(device));
}

std::string merge_devices(std::string_view outer, std::string_view inner) {
  Device merged = parse(outer);
  const Device wins = parse(inner);
  if (!wins.job.empty()) merged.job = wins.job;
  if (!wins.replica.empty()) merged.replica = wins.replica;
  if (!wins.task.empty()) merged.task = wins.task;
  if (!wins.type.empty()) merged.type = wins.type;
  if (!wins.index.empty()) merged.index = wins.index;
  return print(merged);
}

}  // namespace assay
