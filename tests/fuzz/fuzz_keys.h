// Keys and certificates of the seeds, made anew by make_seeds for every build directory: they
// protect nothing. Ends the program when they are not there.
#pragma once

#include <string>

#include "trust/certificate.h"
#include "trust/private_key.h"

namespace trustline::fuzz {

// "signer": who signed the seeds' lists and files. "phone": whom the encrypted ones are for.
// "agent": the agent of node dst-pub. "root": the authority of example.test.
Certificate FuzzCertificate(const std::string& name);
PrivateKey FuzzKey(const std::string& name);

// Where they lie; make_seeds writes them there.
std::string FuzzKeyPath(const std::string& name);
std::string FuzzCertificatePath(const std::string& name);

}  // namespace trustline::fuzz
