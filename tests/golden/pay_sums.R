# R's answers on sums of pay over months: t.test, sandwich, a log-linear model, and clubSandwich where clusters are few.
#
#   Rscript pay_sums.R [folder]
#
# reads data_pay_sums.csv beside it and writes answers_pay_sums.csv, with 17 digits, and versions_pay_sums.csv. Needs sandwich
# and clubSandwich.

suppressPackageStartupMessages({ library(sandwich); library(clubSandwich) })

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
rows <- read.csv(file.path(folder, "data_pay_sums.csv"))
rows$region <- ceiling(rows$site / 6)
rows$pay[rows$dead == 1] <- 0
arms <- c("control", "ips")
answers <- list()
add <- function(case, measure, group, n, estimate, se, df = NA) {
  answers[[length(answers) + 1]] <<- data.frame(case = case, measure = measure, group = group, n = n, estimate = estimate,
    std_error = se, degrees_of_freedom = df)
}

# ---------------------------------------------------------------- people of whom every month is known: their sums

complete <- aggregate(cbind(total = pay, months = 1) ~ person_id + arm + site + region, rows, sum)
complete <- complete[complete$months == 6, ]
complete$treated <- as.integer(complete$arm == "ips")
one <- complete$total[complete$treated == 1]
zero <- complete$total[complete$treated == 0]
for (arm in arms) {
  own <- complete[complete$arm == arm, ]
  add("exclude", "mean_sum", arm, nrow(own), mean(own$total), sd(own$total) / sqrt(nrow(own)))
  fit <- lm(total ~ 1, own)
  add("exclude site", "mean_sum", arm, nrow(own), coef(fit), sqrt(diag(vcovCL(fit, own$site, type = "HC1"))))
}
welch <- t.test(one, zero)
n <- nrow(complete)
add("exclude", "mean_difference", "", n, mean(one) - mean(zero), welch$stderr)
se <- sqrt(var(one) / length(one) / mean(one)^2 + var(zero) / length(zero) / mean(zero)^2)
add("exclude", "mean_ratio", "", n, mean(one) / mean(zero), se)
fit <- lm(total ~ treated, complete)
add("exclude site", "mean_difference", "", n, coef(fit)[2], sqrt(diag(vcovCL(fit, complete$site, type = "HC1")))[2])
# the ratio as the coefficient of a log-linear model of the mean, which takes sums below zero if the means are above
fit <- glm(total ~ treated, quasi(link = "log", variance = "mu"), complete, start = c(log(mean(zero)), log(mean(one) / mean(zero))),
           control = glm.control(epsilon = 1e-15, maxit = 200))
add("exclude site", "mean_ratio", "", n, exp(coef(fit)[2]), sqrt(diag(vcovCL(fit, complete$site, type = "HC1")))[2])

# ---------------------------------------------------------------- available: means by month, added up

errors <- areas <- c()
for (arm in arms) {
  wide <- with(rows[rows$arm == arm, ], tapply(pay, list(person_id, month), sum))
  seen <- !is.na(wide)
  part <- sweep(wide, 2, colMeans(wide, na.rm = TRUE))
  part[!seen] <- 0
  part <- rowSums(sweep(part, 2, colSums(seen), "/"))
  k <- nrow(wide)
  areas[arm] <- sum(colMeans(wide, na.rm = TRUE))
  errors[arm] <- sqrt(sum(part^2) * k / (k - 1))
  add("available", "mean_sum", arm, k, areas[arm], errors[arm])
}
everybody <- length(unique(rows$person_id))
add("available", "mean_difference", "", everybody, areas["ips"] - areas["control"], sqrt(sum(errors^2)))
add("available", "mean_ratio", "", everybody, areas["ips"] / areas["control"], sqrt(sum((errors / areas)^2)))

# ---------------------------------------------------------------- six regions: CR2 of a mean for every arm and month

known <- rows[!is.na(rows$pay), ]
known$cell <- factor(paste(known$arm, known$month))
region <- function(measure, group, of, weights) {
  own <- known[known$arm %in% of, ]
  own$cell <- factor(own$cell)
  fit <- lm(pay ~ 0 + cell, own)
  l <- weights[sub(" .*", "", levels(own$cell))]
  found <- linear_contrast(fit, vcovCR(fit, cluster = own$region, type = "CR2"), contrasts = matrix(l, nrow = 1))
  value <- if (measure == "mean_ratio") areas[["ips"]] / areas[["control"]] else found$Est
  add("region", measure, group, length(unique(own$person_id)), value, found$SE, found$df)
}
for (arm in arms) region("mean_sum", arm, arm, c(control = 1, ips = 1))
region("mean_difference", "", arms, c(control = -1, ips = 1))
region("mean_ratio", "", arms, c(control = -1 / areas[["control"]], ips = 1 / areas[["ips"]]))

answers <- do.call(rbind, answers)
for (column in names(answers)) if (is.double(answers[[column]])) answers[[column]] <- digits(answers[[column]])
write.csv(answers, file.path(folder, "answers_pay_sums.csv"), row.names = FALSE, quote = FALSE, na = "")
packages <- c("sandwich", "clubSandwich")
versions <- c(as.character(getRversion()), sapply(packages, function(p) as.character(packageVersion(p))))
write.csv(data.frame(name = c("R", packages), version = versions), file.path(folder, "versions_pay_sums.csv"), row.names = FALSE,
          quote = FALSE)
