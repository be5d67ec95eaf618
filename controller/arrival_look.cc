#include "controller/arrival_look.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "controller/arrival.h"
#include "controller/phone_evidence.h"
#include "controller/playbook/phone_scope.h"
#include "trust/phone/live_network.h"
#include "trust/phone/web_reader.h"
#include "trust/status_macros.h"

namespace trustline::controller {
namespace {

std::vector<PhoneEvidence> PhonesInScope(std::vector<PhoneEvidence> phones,
                                         const ArrivalDemand& demand) {
  std::erase_if(phones, [&](const PhoneEvidence& phone) {
    return std::none_of(
        demand.pointers.begin(), demand.pointers.end(),
        [&](const v1::GatedPointer& pointer) { return InScope(phone, pointer.scope()); });
  });
  return phones;
}

PhoneBehaviour BehaviourOf(const ArrivalDemand& demand) {
  PhoneBehaviour behaviour;
  if (demand.tftp_http_port != 0)
    behaviour.http_port = static_cast<uint16_t>(demand.tftp_http_port);
  if (demand.tftp_port != 0) behaviour.tftp_port = static_cast<uint16_t>(demand.tftp_port);
  if (demand.timeout_ms != 0) behaviour.file_timeout = absl::Milliseconds(demand.timeout_ms);
  return behaviour;
}

std::vector<std::string> DestinationOf(const ArrivalDemand& demand) {
  std::vector<std::string> servers;
  std::set<std::string> seen;
  for (const v1::GatedPointer& pointer : demand.pointers) {
    for (const std::string& server : pointer.tftp_servers()) {
      if (seen.insert(server).second) servers.push_back(server);
    }
  }
  return servers;
}

// Asks those that have not arrived by the file alone, and takes what their pages say into `phones`.
void ReadPages(const Arrival& arrival, const std::function<bool()>& cancelled, absl::Time now,
               const ArrivalLookOptions& options, std::vector<PhoneEvidence>& phones) {
  std::vector<size_t> asked;
  for (const auto* list : {&arrival.waiting, &arrival.unknown}) {
    for (const WaitingPhone& waiting : *list) {
      if (!phones[waiting.phone].address.empty()) asked.push_back(waiting.phone);
    }
  }
  std::atomic<size_t> next{0};
  std::vector<std::thread> threads;
  const size_t workers = std::min(asked.size(), options.in_flight);
  for (size_t i = 0; i < workers; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < asked.size() && !cancelled(); at = next++) {
        PhoneEvidence& phone = phones[asked[at]];
        const absl::StatusOr<PhoneEvidence> page =
            ReadPhoneWebPage(phone.address, options.web_port, options.web_timeout, now);
        // Many phones have their page switched off, and an address may be another phone's by now:
        // then the file is what is known, and the comparison says so.
        if (!page.ok() || page->device != phone.device) continue;
        if (page->itl.known()) phone.itl = page->itl;
        if (page->ctl.known()) phone.ctl = page->ctl;
        // A list the page is silent about is as old as the file says.
        if (page->itl.known() && page->ctl.known()) phone.read_at = now;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// `file`: the evidence's name; `problems`: servers that were not compared with.
WavePhones FoundIn(const Arrival& arrival, const std::vector<PhoneEvidence>& phones,
                   const ArrivalDemand& demand, const std::string& file,
                   const std::vector<std::string>& problems) {
  WavePhones found;
  found.excluded = static_cast<int>(arrival.excluded.size());
  const auto counts = [&](size_t phone) { return phones[phone].Immovable().empty(); };
  for (const ArrivedPhone& phone : arrival.arrived) {
    found.phones.push_back({phones[phone.phone].device, true, counts(phone.phone), ""});
  }
  for (const auto* list : {&arrival.waiting, &arrival.unknown}) {
    for (const WaitingPhone& phone : *list) {
      FoundPhone& missing = found.phones.emplace_back(
          FoundPhone{phones[phone.phone].device, false, counts(phone.phone), phone.why});
      if (!demand.only_look) continue;
      if (phones[phone.phone].read_at < demand.since) {
        missing.known = false;
        missing.why = absl::StrCat("its page does not say, and ", file,
                                   " has nothing newer than the pause (read_at)");
      } else if (!problems.empty()) {
        missing.known = false;
        absl::StrAppend(&missing.why, ", but not every one was asked: ", problems.front());
      }
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<WavePhones> LookForArrivals(const ArrivalDemand& demand,
                                           const std::function<bool()>& cancelled, absl::Time now,
                                           const ArrivalLookOptions& options) {
  TL_ASSIGN_OR_RETURN(LoadedEvidence loaded, LoadEvidence(demand.phones));
  if (!loaded.diagnostics.empty()) return absl::InvalidArgumentError(loaded.diagnostics);
  std::vector<PhoneEvidence> phones = PhonesInScope(std::move(loaded.phones), demand);

  const PhoneBehaviour behaviour = BehaviourOf(demand);
  LiveNetwork network(behaviour);
  const LiveLists live = FetchLiveLists(network, DestinationOf(demand), behaviour,
                                        phones.empty() ? "" : phones.front().device);
  if (live.lists.empty()) {
    return absl::UnavailableError(absl::StrCat("the destination serves no list to compare with: ",
                                               absl::StrJoin(live.problems, "; ")));
  }
  Arrival arrival = CompareArrival(phones, live.lists);
  ReadPages(arrival, cancelled, now, options, phones);
  if (cancelled()) return absl::CancelledError("interrupted");
  arrival = CompareArrival(phones, live.lists);

  const std::string file = std::filesystem::path(demand.phones).filename().string();
  WavePhones found = FoundIn(arrival, phones, demand, file, live.problems);
  found.problems = live.problems;
  std::set<std::string> known;
  for (const PhoneEvidence& phone : phones) known.insert(phone.mac);
  for (const v1::GatedPointer& pointer : demand.pointers) {
    const std::string mac = CanonicalMac(pointer.scope().reservation());
    if (mac.empty() || !known.insert(mac).second) continue;
    found.phones.push_back(
        {DeviceOf(mac), false, true, absl::StrCat("is not in ", file), !demand.only_look});
  }
  return found;
}

}  // namespace trustline::controller
